//! The labels that the agent reads and writes.

/// The service that a container is of. On a container of somebody else's making it asks the agent to adopt it.
pub const SERVICE: &str = "tidegate.service";
/// The piece of work that a container was made for.
pub const CREATED_FOR: &str = "tidegate.made-for";
/// The reference of the image that a container was made from.
pub const IMAGE: &str = "tidegate.image";
/// The digest of that image.
pub const DIGEST: &str = "tidegate.digest";
/// The configuration of an adopted container, as JSON, so that it outlives the container that it was read from.
pub const CONFIGURATION: &str = "tidegate.configuration";
/// How a service's container is replaced: `recreate` or `blue-green`.
pub const STRATEGY: &str = "tidegate.update-strategy";
/// `false` leaves a service of a Compose file to others.
pub const ENABLE: &str = "tidegate.enable";

/// What the agent writes on a container that it makes; of no meaning for the next one.
pub const WRITTEN: &[&str] = &[CREATED_FOR, IMAGE, DIGEST, CONFIGURATION];

/// The project that a container is of, as `docker compose` has it.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// The service within that project.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// Which of a service's containers it is, from 1.
pub const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";
/// `True` on a container of `docker compose run`.
pub const COMPOSE_ONE_OFF: &str = "com.docker.compose.oneoff";
/// A hash over the configuration; `docker compose` lists no container without it.
pub const COMPOSE_HASH: &str = "com.docker.compose.config-hash";
/// The files that a project is declared in.
pub const COMPOSE_FILES: &str = "com.docker.compose.project.config_files";
/// The folder that relative paths start from.
pub const COMPOSE_FOLDER: &str = "com.docker.compose.project.working_dir";
