//! From what is written to what holds: defaults, and every mistake at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::quantity::Quantity;
use super::raw::RawConfig;
use super::{Config, DeviceSettings, EngineAddress, EngineSettings, Environment, HookSettings, Mistake, PullSettings};

/// Longest name, fleet, tag key and tag value, as the server has it.
const TEXT_MAX: usize = 64;
/// Most tags, as the server has it.
const TAGS_MAX: usize = 16;
/// Most pulls at a time: more only makes each of them slower.
const CONCURRENCY_MAX: u64 = 16;
/// Room that a pull leaves, where nothing is set.
const KEEP_FREE: u64 = 256 << 20;
/// Longest time for a hook, where nothing is set.
const HOOK_TIMEOUT: Duration = Duration::from_mins(1);
/// The engine's socket, where nothing is set.
const SOCKET: &str = "/var/run/docker.sock";
/// The provisioning key's name as a systemd credential.
const CREDENTIAL: &str = "provisioning-key";

pub(super) fn check(raw: RawConfig, environment: Environment<'_>) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let it = &mut mistakes;

    let url = match raw.url {
        Some(url) => it.url("url", &url),
        None => it.wrong("url", "expected the server's address, such as https://tidegate.example.com"),
    };
    let device_state_url = raw.device_state_url.map(|url| it.url("device_state_url", &url));
    it.text("name", raw.name.as_deref());
    it.text("fleet_id", raw.fleet_id.as_deref());
    if let Some(zone) = raw.timezone.as_deref().filter(|zone| TimeZone::get(zone).is_err()) {
        it.wrong::<()>("timezone", format!("expected an IANA name such as Europe/Berlin, got {zone:?}"));
    }
    it.tags(&raw.tags);

    let socket = raw.engine.socket.or_else(|| environment("DOCKER_HOST").filter(|host| !host.is_empty()));
    let address = EngineAddress::parse(socket.as_deref().unwrap_or(SOCKET));
    let address = address.unwrap_or_else(|what| {
        it.wrong::<()>("engine.socket", what);
        EngineAddress::Unix(PathBuf::from(SOCKET))
    });

    let concurrency = raw.pull.concurrency.unwrap_or(2);
    if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
        it.wrong::<()>("pull.concurrency", format!("expected a number from 1 to {CONCURRENCY_MAX}, got {concurrency}"));
    }
    let bandwidth_limit = it.amount("pull.bandwidth_limit", raw.pull.bandwidth_limit, Quantity::bytes_per_second);
    if bandwidth_limit == Some(0) {
        it.wrong::<()>("pull.bandwidth_limit", "expected more than nothing; without a limit, leave it out");
    }
    let keep_free = it.amount("pull.keep_free", raw.pull.keep_free, Quantity::bytes).unwrap_or(KEEP_FREE);
    let timeout = it.amount("hooks.timeout", raw.hooks.timeout, Quantity::time).unwrap_or(HOOK_TIMEOUT);
    if timeout.is_zero() {
        it.wrong::<()>("hooks.timeout", "expected more than nothing");
    }
    let credential = environment("CREDENTIALS_DIRECTORY").map(|at| PathBuf::from(at).join(CREDENTIAL));

    let config = Config {
        url: url.unwrap_or_default(),
        device_state_url: device_state_url.flatten(),
        device: DeviceSettings { name: raw.name, fleet_id: raw.fleet_id, timezone: raw.timezone, tags: raw.tags },
        // systemd keeps a credential out of everybody's sight, so it goes before a file.
        provisioning_key_file: credential
            .filter(|path| path.exists())
            .or_else(|| it.path("provisioning_key_file", raw.provisioning_key_file)),
        state_dir: it.path_or("state_dir", raw.state_dir, "/var/lib/tidegate-agent"),
        runtime_dir: it.path_or("runtime_dir", raw.runtime_dir, "/run/tidegate-agent"),
        log_file: it.path("log_file", raw.log_file),
        engine: EngineSettings { address, compose_file: it.path("engine.compose_file", raw.engine.compose_file) },
        pull: PullSettings {
            registry_config: it.path("pull.registry_config", raw.pull.registry_config),
            bandwidth_limit,
            concurrency: usize::try_from(concurrency).unwrap_or(1),
            keep_free,
        },
        allowed_commands: raw
            .health
            .allowed_commands
            .into_iter()
            .filter_map(|path| it.path("health.allowed_commands", Some(path)))
            .collect(),
        hooks: HookSettings {
            directory: it.path_or("hooks.directory", raw.hooks.directory, "/etc/tidegate/hooks.d"),
            timeout,
        },
    };
    if mistakes.0.is_empty() { Ok(config) } else { Err(mistakes.0) }
}

#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// A value is wrong; there is none instead.
    fn wrong<T>(&mut self, key: &str, what: impl Into<String>) -> Option<T> {
        self.0.push(Mistake { key: key.to_owned(), what: what.into() });
        None
    }

    fn url(&mut self, key: &str, text: &str) -> Option<String> {
        let fits = reqwest::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if fits {
            return Some(text.trim_end_matches('/').to_owned());
        }
        // Not the text itself: a password may stand in it.
        self.wrong(key, "expected an address such as https://tidegate.example.com, without user, query or fragment")
    }

    fn text(&mut self, key: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        if text.trim().is_empty() || text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) {
            self.wrong::<()>(key, format!("expected 1 to {TEXT_MAX} characters on one line"));
        }
    }

    fn tags(&mut self, tags: &BTreeMap<String, String>) {
        if tags.len() > TAGS_MAX {
            self.wrong::<()>("tags", format!("expected at most {TAGS_MAX} tags, got {}", tags.len()));
        }
        for (key, value) in tags {
            let at = format!("tags.{key}");
            self.text(&at, Some(key));
            self.text(&at, Some(value));
            if key.contains(':') {
                self.wrong::<()>(&at, "expected a key without a colon: filters write key:value");
            }
        }
    }

    fn path(&mut self, key: &str, path: Option<PathBuf>) -> Option<PathBuf> {
        let path = path?;
        if path.is_absolute() {
            return Some(path);
        }
        self.wrong(key, format!("expected an absolute path, got {:?}", path.display().to_string()))
    }

    fn path_or(&mut self, key: &str, path: Option<PathBuf>, default: &str) -> PathBuf {
        self.path(key, path).unwrap_or_else(|| PathBuf::from(default))
    }

    fn amount<T>(
        &mut self,
        key: &str,
        given: Option<Quantity>,
        read: impl Fn(&Quantity) -> Result<T, String>,
    ) -> Option<T> {
        match read(&given?) {
            Ok(amount) => Some(amount),
            Err(what) => self.wrong(key, what),
        }
    }
}
