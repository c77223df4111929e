//! What a container runs and with which rights: `command`, `environment`, `user`, `cap_add` and their like.

use std::collections::BTreeMap;
use std::fs;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, RestartPolicy,
    RestartPolicyNameEnum,
};
use docker_compose_types::{Command, Entrypoint, Environment, Labels, LoggingParameters, SysCtls};
use serde_json::Value;

use super::environment;
use super::fields::{Fields, scalar};
use super::service::Surroundings;

pub(super) fn read(
    fields: &mut Fields<'_>,
    around: &Surroundings<'_>,
    container: &mut ContainerCreateBody,
    host: &mut HostConfig,
) {
    container.cmd = fields.typed("command", "a text or a list of texts").and_then(|command| match command {
        Command::Simple(text) => split(fields, "command", &text),
        Command::Args(list) => Some(list),
    });
    container.entrypoint =
        fields.typed("entrypoint", "a text or a list of texts").and_then(|entrypoint| match entrypoint {
            Entrypoint::Simple(text) => split(fields, "entrypoint", &text),
            Entrypoint::List(list) => Some(list),
        });
    let environment = environment(fields, around);
    container.env = (!environment.is_empty())
        .then(|| environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect());
    container.working_dir = fields.text("working_dir");
    container.user = fields.text("user");
    container.hostname = fields.text("hostname");
    container.domainname = fields.text("domainname");
    container.tty = fields.flag("tty");
    container.open_stdin = fields.flag("stdin_open");
    host.group_add = fields.texts("group_add");
    host.cap_add = fields.texts("cap_add");
    host.cap_drop = fields.texts("cap_drop");
    host.privileged = fields.flag("privileged");
    host.security_opt = fields.texts("security_opt");
    host.readonly_rootfs = fields.flag("read_only");
    host.init = fields.flag("init");
    host.ipc_mode = mode(fields, "ipc");
    host.pid_mode = mode(fields, "pid");
    host.uts_mode = mode(fields, "uts");
    host.userns_mode = fields.text("userns_mode");
    host.cgroup_parent = fields.text("cgroup_parent");
    host.cgroupns_mode = fields.parsed("cgroup", |text| match text {
        "host" => Ok(HostConfigCgroupnsModeEnum::HOST),
        "private" => Ok(HostConfigCgroupnsModeEnum::PRIVATE),
        other => Err(format!("expected host or private, got {other:?}")),
    });
    host.runtime = fields.text("runtime");
    host.dns = fields.text_or_texts("dns");
    host.dns_search = fields.text_or_texts("dns_search");
    host.dns_options = fields.texts("dns_opt");
    host.extra_hosts = extra_hosts(fields);
    let sysctls = sysctls(fields);
    host.sysctls = (!sysctls.is_empty()).then(|| sysctls.into_iter().collect());
    host.devices = devices(fields);
    host.device_cgroup_rules = fields.texts("device_cgroup_rules");
    host.restart_policy = Some(restart(fields));
    host.log_config = logging(fields);
}

/// A command in one text, in its words.
fn split(fields: &Fields<'_>, name: &str, text: &str) -> Option<Vec<String>> {
    let words = shlex::split(text);
    if words.is_none() {
        fields.note(name, "expected a command whose quotes are closed");
    }
    words
}

/// The variables: those of the files, then the service's own. One without a value gets the agent's, or is left out.
fn environment(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (n, item) in env_files(fields).into_iter().enumerate() {
        read_env_file(fields, around, n, item, &mut all);
    }
    let own: Vec<(String, Option<String>)> = match fields.typed("environment", "a map, or a list of NAME=value") {
        None => Vec::new(),
        Some(Environment::List(list)) => list
            .into_iter()
            .map(|one| match one.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (one, None),
            })
            .collect(),
        Some(Environment::KvPair(map)) => {
            map.into_iter().map(|(name, value)| (name, value.map(|value| value.to_string()))).collect()
        }
    };
    for (name, value) in own {
        match value.or_else(|| around.variables.get(&name).cloned()) {
            Some(value) => all.insert(name, value),
            None => all.remove(&name),
        };
    }
    all
}

fn env_files(fields: &mut Fields<'_>) -> Vec<Value> {
    match fields.take("env_file") {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    }
}

fn read_env_file(
    fields: &Fields<'_>,
    around: &Surroundings<'_>,
    n: usize,
    item: Value,
    all: &mut BTreeMap<String, String>,
) {
    let (file, required) = match scalar(&item) {
        Some(file) => (file, true),
        None => {
            let mut inner = Fields::of(&fields.path(&format!("env_file[{n}]")), item, fields.mistakes);
            let (file, required) = (inner.text("path"), inner.flag("required").unwrap_or(true));
            let Some(file) = file else {
                inner.note("path", "expected a file");
                return;
            };
            inner.end();
            (file, required)
        }
    };
    match fs::read_to_string(around.folder.join(&file)) {
        Ok(text) => match environment::parse(&text, around.variables) {
            Ok(pairs) => all.extend(pairs),
            Err(errors) => errors.iter().for_each(|error| fields.note("env_file", format_args!("{file}: {error}"))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {}
        Err(error) => fields.note("env_file", format_args!("{file}: {error}")),
    }
}

/// A field that is a map of texts, or a list of `name=value`.
pub(super) fn pairs(fields: &mut Fields<'_>, name: &str) -> BTreeMap<String, String> {
    match fields.typed(name, "a map of texts, or a list of name=value") {
        None => BTreeMap::new(),
        Some(Labels::Map(map)) => map.into_iter().collect(),
        Some(Labels::List(list)) => list
            .into_iter()
            .map(|one| match one.split_once('=') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                None => (one, String::new()),
            })
            .collect(),
    }
}

fn sysctls(fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    match fields.typed("sysctls", "a map, or a list of name=value") {
        None => BTreeMap::new(),
        Some(SysCtls::Map(map)) => map
            .into_iter()
            .map(|(key, value)| (key, value.map(|value| value.to_string()).unwrap_or_default()))
            .collect(),
        Some(SysCtls::List(list)) => {
            let mut all = BTreeMap::new();
            for one in list {
                match one.split_once('=') {
                    Some((key, value)) => drop(all.insert(key.to_owned(), value.to_owned())),
                    None => fields.note("sysctls", format_args!("expected name=value, got {one:?}")),
                }
            }
            all
        }
    }
}

/// Hosts as the engine has them, `name:address`; files also write `name=address` and a map.
fn extra_hosts(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    match fields.take("extra_hosts")? {
        Value::Array(items) => {
            let hosts = items.iter().filter_map(scalar).map(|one| match one.split_once('=') {
                Some((name, address)) => format!("{name}:{}", address.trim_matches(['[', ']'])),
                None => one,
            });
            Some(hosts.collect())
        }
        Value::Object(map) => {
            Some(map.iter().filter_map(|(name, address)| Some(format!("{name}:{}", scalar(address)?))).collect())
        }
        _ => {
            fields.note("extra_hosts", "expected a list of name=address, or a map");
            None
        }
    }
}

fn devices(fields: &mut Fields<'_>) -> Option<Vec<DeviceMapping>> {
    let devices = fields.texts("devices")?;
    let mut mappings = Vec::new();
    for device in devices {
        let parts: Vec<&str> = device.split(':').collect();
        let (host, inside, rights) = match parts[..] {
            [host] => (host, host, "rwm"),
            [host, rights] if !rights.starts_with('/') => (host, host, rights),
            [host, inside] => (host, inside, "rwm"),
            [host, inside, rights] => (host, inside, rights),
            _ => ("", "", ""),
        };
        let known = !rights.is_empty() && rights.chars().all(|right| "rwm".contains(right));
        if !host.starts_with('/') || !inside.starts_with('/') || !known {
            fields.note("devices", format_args!("expected /dev/x, /dev/x:/dev/y or /dev/x:/dev/y:rwm, got {device:?}"));
        }
        mappings.push(DeviceMapping {
            path_on_host: Some(host.to_owned()),
            path_in_container: Some(inside.to_owned()),
            cgroup_permissions: Some(rights.to_owned()),
        });
    }
    Some(mappings)
}

/// A namespace's mode. That of another service would need its container's id, which changes with every update.
fn mode(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    let mode = fields.text(name)?;
    if mode.starts_with("service:") {
        fields.note(name, format_args!("{mode}: not supported; the other container is replaced by updates"));
    }
    Some(mode)
}

fn restart(fields: &mut Fields<'_>) -> RestartPolicy {
    let policy = |name, count| RestartPolicy { name: Some(name), maximum_retry_count: count };
    let no = || policy(RestartPolicyNameEnum::NO, None);
    let parsed = fields.parsed("restart", |text| match text {
        // What a YAML reader makes of a bare `no`.
        "no" | "false" => Ok(no()),
        "always" => Ok(policy(RestartPolicyNameEnum::ALWAYS, None)),
        "unless-stopped" => Ok(policy(RestartPolicyNameEnum::UNLESS_STOPPED, None)),
        "on-failure" => Ok(policy(RestartPolicyNameEnum::ON_FAILURE, None)),
        other => match other.strip_prefix("on-failure:").map(str::parse::<u32>) {
            Some(Ok(count)) => Ok(policy(RestartPolicyNameEnum::ON_FAILURE, Some(count.into()))),
            Some(Err(_)) | None => {
                Err(format!("expected no, always, unless-stopped, on-failure or on-failure:3, got {other:?}"))
            }
        },
    });
    parsed.unwrap_or_else(no)
}

fn logging(fields: &mut Fields<'_>) -> Option<HostConfigLogConfig> {
    let mut inner = fields.inner("logging")?;
    let typ = inner.text("driver");
    let options = inner.take("options").map(|options| serde_json::json!({"options": options}));
    let options: Option<LoggingParameters> = options
        .and_then(|options| super::fields::read(&inner.path("options"), options, "a map of texts", inner.mistakes));
    inner.end();
    let config = options.and_then(|logging| logging.options);
    let config = config.map(|config| config.into_iter().map(|(key, value)| (key, value.to_string())).collect());
    Some(HostConfigLogConfig { typ, config })
}

/// The services that this one starts after. Nothing waits until another is healthy: what needs another has to bear its
/// absence anyway, since the other is updated too.
pub(super) fn depends_on(fields: &mut Fields<'_>) -> Vec<String> {
    let Some(given) = fields.take("depends_on") else { return Vec::new() };
    let Value::Object(map) = given else {
        let names = given.as_array().map(|names| names.iter().filter_map(scalar).collect());
        if names.is_none() {
            fields.note("depends_on", "expected a list of services, or a map");
        }
        return names.unwrap_or_default();
    };
    let mut names = Vec::new();
    for (name, condition) in map {
        let mut inner = Fields::of(&fields.path(&format!("depends_on.{name}")), condition, fields.mistakes);
        if inner.text("condition").is_some_and(|condition| condition != "service_started") {
            inner.note("condition", "not supported; only service_started is, as the order in which services start");
        }
        if inner.flag("restart") == Some(true) {
            inner.note("restart", "not supported; leave it out");
        }
        inner.end();
        names.push(name);
    }
    names
}
