//! What the agent does not do of the Compose specification, and what to do instead.

/// What to do instead of a field.
pub(super) fn way_out(field: &str) -> &'static str {
    match field {
        "build" => "images are built elsewhere and pulled; name one with image",
        "pull_policy" => "images come as the target state says",
        "platform" => "the engine pulls what is for its own platform",
        "profiles" => "leave a service out, or to others with the label tidegate.enable: \"false\"",
        "extends" | "include" => "write everything in one file",
        "secrets" | "configs" => "mount a file with volumes",
        "links" | "external_links" => "use a network; services find each other by name",
        "scale" | "replicas" => "a service is one container",
        "volumes_from" => "mount the same named volume in both",
        "restart_policy" => "use restart",
        "update_config" | "rollback_config" => "use the label tidegate.update-strategy",
        "develop" => "it is of use on a developer's machine only",
        "container_port" | "host_port" => "use target and published",
        "version" => "leave it out",
        "mac_address" => "the next container beside the old one would have the same",
        "post_start" | "pre_stop" => "use the agent's hooks",
        _ => "leave it out",
    }
}
