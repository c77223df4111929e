//! What registries say, by the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>): the server's and the devices' clients read
//! it alike.

mod challenge;
mod content;

pub use challenge::{BadRealm, Bearer, Challenge, issued_token};
pub use content::{ACCEPTED, DIGEST_HEADER, Kind, Mismatch, content_digest};

/// Where a registry's API answers, by the host that references name it by: Docker Hub's has another one.
pub fn api_host(registry: &str) -> &str {
    if registry == "docker.io" { "registry-1.docker.io" } else { registry }
}
