//! Health checks: what a device does to know that its new container works.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::{FieldError, Reading, raw_object};

/// One try's length where a check names none, in seconds.
const TIMEOUT_SECONDS: u32 = 30;

/// Longest single try, and longest time between two, in seconds.
const LONGEST_SECONDS: u32 = 3600;

/// Most tries after the first.
const MOST_RETRIES: u32 = 100;

/// The status that an `http` check expects where it names none.
const OK: u16 = 200;

/// A checked health check with every value filled in, as devices get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is looked at.
    #[serde(flatten)]
    pub probe: Probe,
    /// How long one try may take.
    pub timeout_seconds: u32,
    /// How many further tries there are after one that failed.
    pub retry_count: u32,
    /// Time between two tries.
    pub interval_seconds: u32,
}

/// What a health check looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Probe {
    /// A GET answers with the expected status.
    Http {
        /// An `http://` or `https://` URL, as seen from the device.
        endpoint: String,
        /// The status that counts as healthy.
        expected_status: u16,
    },
    /// A TCP connection opens.
    Tcp {
        /// The host; `None` is the container's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// The port.
        port: u16,
    },
    /// The container runs.
    ContainerRunning,
    /// The image's own HEALTHCHECK says healthy.
    Image,
    /// A command exits with 0.
    Custom {
        /// Program and arguments; no shell.
        command: Vec<String>,
        /// Where it runs.
        #[serde(rename = "where")]
        place: Place,
    },
}

/// Where a custom check's command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Inside the new container.
    Container,
    /// On the device.
    Host,
}

/// The configured values of what a check leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthDefaults {
    /// How many further tries there are after one that failed.
    pub retry_count: u32,
    /// Time between two tries, in seconds.
    pub interval_seconds: u32,
}

impl Default for HealthDefaults {
    /// The mission's values.
    fn default() -> Self {
        Self { retry_count: 3, interval_seconds: 30 }
    }
}

impl HealthDefaults {
    /// The check of a policy that names none: the container runs.
    pub fn check(self) -> HealthCheck {
        HealthCheck {
            probe: Probe::ContainerRunning,
            timeout_seconds: TIMEOUT_SECONDS,
            retry_count: self.retry_count,
            interval_seconds: self.interval_seconds,
        }
    }
}

raw_object! {
    /// A health check as an operator writes it.
    RawHealthCheck, told &[],
    {
        /// Which kind: `http`, `tcp`, `container_running`, `image`, `custom`.
        kind as "type": String = KINDS,
        /// Of `http`: the URL.
        endpoint as "endpoint": String = ENDPOINT,
        /// Of `http`: the status that counts as healthy.
        expected_status as "expected_status": u16 = "an HTTP status from 100 to 599",
        /// Of `tcp`: the host.
        host as "host": String = "a host name or an address",
        /// Of `tcp`: the port.
        port as "port": u16 = PORT,
        /// Of `custom`: program and arguments.
        command as "command": Vec<String> = COMMAND,
        /// Of `custom`: `container` or `host`.
        place as "where": String = "container or host",
        /// How long one try may take.
        timeout_seconds as "timeout_seconds": u32 = "a whole number of seconds",
        /// How many further tries there are after one that failed.
        retry_count as "retry_count": u32 = "a whole number of tries",
        /// Time between two tries.
        interval_seconds as "interval_seconds": u32 = "a whole number of seconds",
    }
}

const KINDS_LIST: [&str; 5] = ["http", "tcp", "container_running", "image", "custom"];
const KINDS: &str = "one of http, tcp, container_running, image, custom";
const ENDPOINT: &str = "a URL such as http://localhost:8080/health";
const PORT: &str = "a port from 1 to 65535";
const COMMAND: &str = "a list of texts, the program first, such as [/bin/check, --fast]";

impl Reading for RawHealthCheck {
    fn reading(base: &str, name: &str, value: &Value, expected: &str) -> (Option<Self>, Vec<FieldError>) {
        if !value.is_object() {
            return (None, vec![FieldError::expected(base, name, expected, value)]);
        }
        let (raw, errors) = Self::read(&FieldError::pointer_to(base, name), value);
        (Some(raw), errors)
    }
}

impl RawHealthCheck {
    /// Checks it and fills in what it leaves out; `base` is the JSON pointer to it.
    pub fn validate(self, base: &str, defaults: HealthDefaults) -> Result<HealthCheck, Vec<FieldError>> {
        let mut errors = self.foreign_fields(base);
        let ranges = [
            ("timeout_seconds", self.timeout_seconds, 1, LONGEST_SECONDS),
            ("retry_count", self.retry_count, 0, MOST_RETRIES),
            ("interval_seconds", self.interval_seconds, 0, LONGEST_SECONDS),
        ];
        for (name, given, least, most) in ranges {
            if given.is_some_and(|given| !(least..=most).contains(&given)) {
                errors.push(FieldError::of(base, name, format_args!("expected a whole number from {least} to {most}")));
            }
        }
        let (timeout, retries, interval) = (self.timeout_seconds, self.retry_count, self.interval_seconds);
        match self.probe(base) {
            Ok(probe) if errors.is_empty() => Ok(HealthCheck {
                probe,
                timeout_seconds: timeout.unwrap_or(TIMEOUT_SECONDS),
                retry_count: retries.unwrap_or(defaults.retry_count),
                interval_seconds: interval.unwrap_or(defaults.interval_seconds),
            }),
            Ok(_) => Err(errors),
            Err(found) => Err(errors.into_iter().chain(found).collect()),
        }
    }

    /// Fields that belong to another kind of check than this one; of a kind that there is not, nobody can say.
    fn foreign_fields(&self, base: &str) -> Vec<FieldError> {
        let fields = [
            ("endpoint", self.endpoint.is_some(), "http"),
            ("expected_status", self.expected_status.is_some(), "http"),
            ("host", self.host.is_some(), "tcp"),
            ("port", self.port.is_some(), "tcp"),
            ("command", self.command.is_some(), "custom"),
            ("where", self.place.is_some(), "custom"),
        ];
        let known = |kind: &&str| KINDS_LIST.contains(kind);
        let Some(kind) = self.kind.as_deref().filter(known) else { return Vec::new() };
        fields
            .into_iter()
            .filter(|&(_, given, owner)| given && owner != kind)
            .map(|(name, _, owner)| FieldError::of(base, name, format_args!("only a check of type {owner} has it")))
            .collect()
    }

    fn probe(self, base: &str) -> Result<Probe, Vec<FieldError>> {
        let expected = |name: &str, what: &str| FieldError::of(base, name, format_args!("expected {what}"));
        match self.kind.as_deref() {
            Some("http") => {
                let endpoint = self.endpoint.filter(|url| is_url(url)).ok_or_else(|| expected("endpoint", ENDPOINT));
                let expected_status = self.expected_status.unwrap_or(OK);
                let status = (100..=599).contains(&expected_status).then_some(expected_status);
                let status = status.ok_or_else(|| expected("expected_status", "an HTTP status from 100 to 599"));
                both(endpoint, status).map(|(endpoint, expected_status)| Probe::Http { endpoint, expected_status })
            }
            Some("tcp") => {
                let port = self.port.filter(|&port| port > 0).ok_or_else(|| expected("port", PORT));
                let host = match self.host {
                    Some(host) if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') => {
                        Err(expected("host", "a host name or an address"))
                    }
                    host => Ok(host),
                };
                both(host, port).map(|(host, port)| Probe::Tcp { host, port })
            }
            Some("container_running") => Ok(Probe::ContainerRunning),
            Some("image") => Ok(Probe::Image),
            Some("custom") => {
                let command = self.command.filter(|command| command.first().is_some_and(|program| !program.is_empty()));
                let place = match self.place.as_deref() {
                    None | Some("container") => Ok(Place::Container),
                    Some("host") => Ok(Place::Host),
                    Some(_) => Err(expected("where", "container or host")),
                };
                both(command.ok_or_else(|| expected("command", COMMAND)), place)
                    .map(|(command, place)| Probe::Custom { command, place })
            }
            Some(_) | None => Err(vec![expected("type", KINDS)]),
        }
    }
}

/// Both values, or all errors.
fn both<A, B>(a: Result<A, FieldError>, b: Result<B, FieldError>) -> Result<(A, B), Vec<FieldError>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err(a.err().into_iter().chain(b.err()).collect()),
    }
}

/// Whether the text is an HTTP URL with a host, so far as can be said without asking it.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
    !host.is_empty() && text.len() <= 2048 && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests;
