//! Files and directories: the agent's own, and those that its configuration names.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::runtime::room;
use super::{Check, Found};
use crate::cli::services::declared;
use crate::config::Config;
use crate::hooks::unsafe_to_run;
use crate::server::identity::IdentityFile;

/// What the journal and an identity need.
const STATE_ROOM: u64 = 1 << 20;

/// What the agent keeps.
pub(super) fn state(config: &Config) -> Vec<Check> {
    let directory = &config.state_dir;
    let found = match std::fs::metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Found::warn(format!("{} is not there yet", directory.display()), "the agent makes it when it first runs")
        }
        Err(error) => {
            Found::fail(format!("{}: {error}", directory.display()), "run this as root, or as the agent's user")
        }
        Ok(metadata) if metadata.mode() & 0o077 != 0 => Found::warn(
            format!("{} can be entered by others (mode {:03o})", directory.display(), metadata.mode() & 0o777),
            format!("chmod 700 {}", directory.display()),
        ),
        Ok(_) => room(directory, STATE_ROOM),
    };
    let mut checks = vec![found.of("state")];
    let file = IdentityFile::within(directory);
    checks.push(
        match file.load_for(&config.url) {
            Ok(Some(identity)) if identity.token.is_some() => Found::ok(format!("{}, only its owner's", identity.uuid)),
            Ok(Some(identity)) => {
                Found::warn(format!("{} is not enrolled yet", identity.uuid), "run `tidegate-agent enrol`")
            }
            Ok(None) => key(config),
            Err(error) => Found::fail(error.to_string(), "as it says"),
        }
        .of("identity"),
    );
    checks
}

/// A device that is not enrolled needs a key.
fn key(config: &Config) -> Found {
    match crate::server::enrol::provisioning_key(config) {
        Err(error) => {
            Found::fail(format!("not enrolled, and {error}"), "give it a key, then run `tidegate-agent enrol`")
        }
        Ok(_) => Found::warn("not enrolled yet; there is a provisioning key", "start the agent, which enrols"),
    }
}

/// What the configuration names.
pub(super) fn named(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(path) = &config.engine.compose_file {
        let found = match declared(config) {
            Ok(services) if services.is_empty() => {
                Found::warn(format!("{} declares no service", path.display()), "add one")
            }
            Ok(services) => Found::ok(services.into_keys().collect::<Vec<_>>().join(", ")),
            Err(error) => Found::fail(format!("{error:#}"), "correct it; docs/agent.md says what is understood"),
        };
        checks.push(found.of("Compose file"));
    }
    if let Some(path) = &config.pull.registry_config {
        checks.push(registry_config(path).of("registries"));
    }
    if let Some(path) = config.provisioning_key_file.as_ref().filter(|path| path.exists()) {
        let open = std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o007 != 0);
        let found = if open {
            Found::warn(format!("{} can be read by everybody", path.display()), format!("chmod o= {}", path.display()))
        } else {
            Found::ok(format!("{}; a device that is enrolled needs it no more", path.display()))
        };
        checks.push(found.of("key"));
    }
    for path in &config.allowed_commands {
        if let Some(why) = unsafe_to_run(path) {
            checks.push(
                Found::fail(format!("{} {why}", path.display()), "mend it, or take it off the list").of("health"),
            );
        }
    }
    checks.push(hooks(&config.hooks.directory).of("hooks"));
    checks
}

fn registry_config(path: &Path) -> Found {
    let read = std::fs::read(path).map_err(|error| error.to_string()).and_then(|text| {
        // Only the place: the text holds passwords.
        let read = serde_json::from_slice::<serde_json::Value>(&text);
        read.map_err(|error| format!("line {}, column {}: expected JSON", error.line(), error.column()))
    });
    let mend = "write it with `docker --config DIRECTORY login`, and let the agent's user read it";
    match read {
        Err(why) => Found::fail(format!("{}: {why}", path.display()), mend),
        Ok(json) => {
            let mut names: Vec<_> = ["auths", "credHelpers"]
                .into_iter()
                .filter_map(|table| json.get(table)?.as_object())
                .flat_map(|table| table.keys().map(String::as_str))
                .collect();
            names.sort_unstable();
            names.dedup();
            if names.is_empty() {
                Found::warn(format!("{} names no registry", path.display()), mend)
            } else {
                Found::ok(names.join(", "))
            }
        }
    }
}

fn hooks(directory: &Path) -> Found {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::ok("none"),
        Err(error) => return Found::fail(format!("{}: {error}", directory.display()), "let the agent's user read it"),
        Ok(entries) => entries.filter_map(Result::ok),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let moment = name.rsplit('.').next().unwrap_or(&name);
        if !matches!(moment, "pre-update" | "post-update") {
            return Found::warn(
                format!("{} is never run", entry.path().display()),
                "name it pre-update, post-update, or SERVICE.pre-update, SERVICE.post-update",
            );
        }
        if let Some(why) = unsafe_to_run(&entry.path()) {
            return Found::fail(format!("{} {why}", entry.path().display()), "until then no update is done");
        }
        names.push(name);
    }
    names.sort_unstable();
    Found::ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}
