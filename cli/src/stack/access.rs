//! How to reach the local stack and with which secrets: `.tidegate/local.env`, which a shell can source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

use super::project::{Project, write_private};

const FILE: &str = "local.env";

/// What a caller of the local stack needs. The secrets are random and stay the same until `down`.
#[derive(Clone)]
pub(crate) struct Access {
    /// Where the API is, stage included; the contract's paths follow it. Empty until the stack was deployed.
    pub url: String,
    /// An operator's bearer token.
    pub operator_token: String,
    /// The webhook secret.
    pub webhook_secret: String,
    /// A provisioning key, for any fleet.
    pub provisioning_key: String,
    /// The HMAC key of device tokens and cursors.
    pub signing_key: String,
    /// Where the AWS interfaces are.
    pub endpoint: String,
    /// Name of the stack; also the prefix of its tables.
    pub stack: String,
    /// The stack's outputs, by their names in the template.
    pub outputs: BTreeMap<String, String>,
}

impl Access {
    /// The access that `up` wrote; an error that says to run it, where there is none.
    pub(crate) fn load(project: &Project) -> Result<Self> {
        Self::read(project)?
            .filter(|access| !access.url.is_empty())
            .context("there is no local stack here; `tidegate up` makes one")
    }

    /// The secrets of an earlier `up`, or new ones.
    pub(super) fn load_or_create(project: &Project, stack: &str) -> Result<Self> {
        Ok(Self::read(project)?.unwrap_or_else(|| Self {
            url: String::new(),
            operator_token: format!("op_{}", random_text()),
            webhook_secret: format!("wh_{}", random_text()),
            provisioning_key: format!("pk_{}", random_text()),
            signing_key: random_text(),
            endpoint: String::new(),
            stack: stack.to_owned(),
            outputs: BTreeMap::new(),
        }))
    }

    /// The access in the file; none where there is no file, or one that lacks a secret.
    pub(super) fn read(project: &Project) -> Result<Option<Self>> {
        let path = project.state_file(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Option<Self> {
        let values: BTreeMap<&str, &str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key, value.trim_matches('\'')))
            .collect();
        let secret = |key: &str| values.get(key).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
        let plain = |key: &str| values.get(key).map(|value| (*value).to_owned()).unwrap_or_default();
        Some(Self {
            url: plain("TIDEGATE_URL"),
            operator_token: secret("TIDEGATE_OPERATOR_TOKEN")?,
            webhook_secret: secret("TIDEGATE_WEBHOOK_SECRET")?,
            provisioning_key: secret("TIDEGATE_PROVISIONING_KEY")?,
            signing_key: secret("TIDEGATE_SIGNING_KEY")?,
            endpoint: plain("TIDEGATE_AWS_ENDPOINT_URL"),
            stack: secret("TIDEGATE_STACK")?,
            outputs: values
                .iter()
                .filter_map(|(key, value)| {
                    Some((key.strip_prefix("TIDEGATE_OUTPUT_")?.to_owned(), (*value).to_owned()))
                })
                .collect(),
        })
    }

    /// Writes the file, for its owner only.
    pub(super) fn save(&self, project: &Project) -> Result<()> {
        write_private(&project.state_file(FILE), &self.render())
    }

    fn render(&self) -> String {
        let mut text = String::from("# Written by `tidegate up`, removed by `tidegate down`. These are secrets.\n");
        for (key, value) in [
            ("URL", &self.url),
            ("OPERATOR_TOKEN", &self.operator_token),
            ("WEBHOOK_SECRET", &self.webhook_secret),
            ("PROVISIONING_KEY", &self.provisioning_key),
            ("SIGNING_KEY", &self.signing_key),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("STACK", &self.stack),
        ] {
            let _ = writeln!(text, "TIDEGATE_{key}={value}");
        }
        for (key, value) in &self.outputs {
            let _ = writeln!(text, "TIDEGATE_OUTPUT_{key}={value}");
        }
        text
    }

    /// An output of the template.
    pub(crate) fn output(&self, name: &str) -> Result<&str> {
        let value = self.outputs.get(name).map(String::as_str);
        value.with_context(|| format!("the local stack has no output {name}; `tidegate up` brings it up to date"))
    }
}

/// How a token is stored: its SHA-256 in hex.
pub(crate) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// 256 random bits as text that needs no quotes anywhere.
fn random_text() -> String {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random numbers");
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Access {
        Access {
            url: "http://127.0.0.1:4566/_aws/execute-api/abc/local".to_owned(),
            operator_token: "op_1".to_owned(),
            webhook_secret: "wh_1".to_owned(),
            provisioning_key: "pk_1".to_owned(),
            signing_key: "key".to_owned(),
            endpoint: "http://127.0.0.1:4566".to_owned(),
            stack: "tidegate".to_owned(),
            outputs: BTreeMap::from([("StepQueueUrl".to_owned(), "http://localhost:4566/0/step".to_owned())]),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let access = sample();
        let read = Access::parse(&access.render()).expect("complete");
        assert_eq!(read.render(), access.render());
        assert_eq!(read.output("StepQueueUrl").expect("kept"), "http://localhost:4566/0/step");
        assert!(read.output("Other").is_err());
    }

    #[test]
    fn a_file_without_a_secret_is_none() {
        let text = sample().render().replace("TIDEGATE_WEBHOOK_SECRET=wh_1\n", "");
        assert!(Access::parse(&text).is_none());
        assert!(Access::parse("").is_none());
    }

    #[test]
    fn a_shell_takes_every_line_as_it_is() {
        for line in sample().render().lines().skip(1) {
            let (key, value) = line.split_once('=').expect("KEY=value");
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{key}");
            assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c)), "{value}");
        }
    }
}
