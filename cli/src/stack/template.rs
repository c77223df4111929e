//! Parameters of `infra/template.yaml`, checked before anything is deployed: a name that the template does not have changes
//! nothing, and a value that the functions refuse leaves an API that does not start.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tidegate_aws::config::Config;
use tidegate_aws::secrets::{SecretValues, ValuesError};
use tidegate_domain::spelling::nearest;
use tidegate_domain::text::shown;

use super::project::Project;

/// The parameters that the template makes the stack's own secret of, each beside its key in it.
const SECRETS: [(&str, &str); 5] = [
    ("operator_token_hashes", "OperatorTokenHashes"),
    ("provisioning_key_hashes", "ProvisioningKeyHashes"),
    ("webhook_secrets", "WebhookSecrets"),
    ("signing_key", "SigningKey"),
    ("registry_credentials", "RegistryCredentials"),
];

/// What the template says of its parameters.
#[derive(Debug, Default)]
pub(super) struct Template {
    parameters: BTreeMap<String, Parameter>,
    /// The functions' variables that are a parameter, by name.
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Parameter {
    default: String,
    is_number: bool,
    /// Empty where every value is allowed.
    allowed: Vec<String>,
    least: Option<f64>,
    most: Option<f64>,
    is_secret: bool,
}

impl Template {
    pub(super) fn of(project: &Project) -> Result<Self> {
        let path = project.infra("template.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self::read(&text))
    }

    /// Reads what is on lines of their own. The template is this checkout's; a test holds it to this form.
    fn read(text: &str) -> Self {
        let mut template = Self::default();
        let (mut section, mut parameter) = (String::new(), String::new());
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            let Some((key, value)) = line.trim().split_once(':') else { continue };
            let value = value.trim();
            match (indent, section.as_str()) {
                (0, _) => key.clone_into(&mut section),
                (2, "Parameters") if !key.starts_with('#') => {
                    key.clone_into(&mut parameter);
                    template.parameters.entry(parameter.clone()).or_default();
                }
                (4, "Parameters") => {
                    if let Some(parameter) = template.parameters.get_mut(&parameter) {
                        parameter.say(key, value);
                    }
                }
                (_, "Globals" | "Resources") => {
                    let named = value.strip_prefix("!Ref ").filter(|name| template.parameters.contains_key(*name));
                    let is_variable = key.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                    if let Some(name) = named.filter(|_| is_variable) {
                        template.variables.insert(key.to_owned(), name.to_owned());
                    }
                }
                _ => {}
            }
        }
        template
    }

    /// Whether the template has a parameter of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    /// Refuses what was `asked` for where it is none of the template's, and values that nothing could be deployed with, or
    /// that the functions would refuse. `all` are those that differ from the template's defaults, with what was asked for.
    pub(super) fn check(&self, asked: &BTreeMap<String, String>, all: &BTreeMap<String, String>) -> Result<()> {
        let mut wrong: Vec<String> =
            asked.keys().filter(|name| !self.has(name)).map(|name| self.unknown(name)).collect();
        let found = self.out_of_range(all).into_iter().chain(self.refused_by_functions(all));
        let mut told: Vec<&str> = Vec::new();
        for (name, problem) in found {
            if !told.contains(&name) {
                let kept =
                    if asked.contains_key(name) { "" } else { " (it was set before; --default-parameters forgets it)" };
                wrong.push(format!("{name}: {problem}{kept}"));
            }
            told.push(name);
        }
        if wrong.is_empty() {
            return Ok(());
        }
        bail!("these parameters cannot be deployed, and nothing was done:\n  {}", wrong.join("\n  "))
    }

    fn unknown(&self, name: &str) -> String {
        let hint =
            nearest(name, self.parameters.keys().map(String::as_str)).map(|known| format!("; did you mean {known}?"));
        format!("{}: the template has no such parameter{}", shown(name), hint.unwrap_or_default())
    }

    fn value<'a>(&'a self, all: &'a BTreeMap<String, String>, name: &str) -> &'a str {
        let default = || self.parameters.get(name).map_or("", |parameter| &parameter.default);
        all.get(name).map_or_else(default, String::as_str)
    }

    /// Values that the template itself rules out. An emulator may not look.
    fn out_of_range<'a>(&'a self, all: &'a BTreeMap<String, String>) -> Vec<(&'a str, String)> {
        let known = all.iter().filter_map(|(name, value)| Some((name.as_str(), value, self.parameters.get(name)?)));
        known.filter_map(|(name, value, parameter)| Some((name, parameter.refuses(value)?))).collect()
    }

    /// What the functions would say when they start, by the parameter that it is about.
    fn refused_by_functions<'a>(&'a self, all: &'a BTreeMap<String, String>) -> Vec<(&'a str, String)> {
        let registries = || match self.value(all, "ExtraRegistries") {
            "" => self.value(all, "AllowedRegistries").to_owned(),
            extra => format!("{},{extra}", self.value(all, "AllowedRegistries")),
        };
        let variable = |name: &str| match (name, self.variables.get(name)) {
            ("ALLOWED_REGISTRIES", _) => Some(registries()),
            (_, Some(parameter)) => Some(self.value(all, parameter).to_owned()),
            (_, None) => None,
        };
        let mut found = Vec::new();
        for error in Config::read(&variable).err().map(|error| error.0).unwrap_or_default() {
            if error.name == "ALLOWED_REGISTRIES" {
                let extra = all.contains_key("ExtraRegistries") && !all.contains_key("AllowedRegistries");
                found.push((if extra { "ExtraRegistries" } else { "AllowedRegistries" }, error.problem));
            } else if let Some(parameter) = self.variables.get(error.name) {
                found.push((parameter.as_str(), error.problem));
            }
        }
        // Of a secret that is the user's own nothing is known here.
        if self.value(all, "SecretsName").is_empty() && self.value(all, "SecretsArn").is_empty() {
            found.extend(self.refused_secrets(all));
        }
        found
    }

    fn refused_secrets(&self, all: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (_, parameter) in SECRETS.into_iter().filter(|(_, parameter)| *parameter != "RegistryCredentials") {
            // The template puts them into JSON as they are.
            if self.value(all, parameter).contains(['"', '\\']) {
                found.push((parameter, "expected no quotation marks and no backslashes".to_owned()));
            }
        }
        let values: serde_json::Map<String, serde_json::Value> =
            SECRETS.iter().map(|(key, parameter)| ((*key).to_owned(), json!(self.value(all, parameter)))).collect();
        match SecretValues::parse(&serde_json::Value::Object(values).to_string()) {
            Err(ValuesError::Keys(errors)) => {
                for error in errors {
                    let parameter = SECRETS.iter().find(|(key, _)| *key == error.name);
                    found.extend(parameter.map(|(_, parameter)| (*parameter, error.problem)));
                }
            }
            Err(ValuesError::Json(_)) | Ok(_) => {}
        }
        found
    }
}

impl Parameter {
    fn say(&mut self, key: &str, value: &str) {
        let plain = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        match key {
            "Type" => self.is_number = value == "Number",
            "Default" => self.default = plain(value),
            "AllowedValues" => self.allowed = value.trim_matches(['[', ']']).split(',').map(plain).collect(),
            "MinValue" => self.least = value.parse().ok(),
            "MaxValue" => self.most = value.parse().ok(),
            "NoEcho" => self.is_secret = value == "true",
            _ => {}
        }
    }

    fn refuses(&self, value: &str) -> Option<String> {
        let got = || if self.is_secret { String::new() } else { format!(", got {value:?}") };
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == value) {
            return Some(format!("expected one of {}{}", self.allowed.join(", "), got()));
        }
        if !self.is_number {
            return None;
        }
        let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let fits =
            |number: f64| self.least.is_none_or(|least| number >= least) && self.most.is_none_or(|most| number <= most);
        if number.is_some_and(fits) {
            return None;
        }
        let range = match (self.least, self.most) {
            (Some(least), Some(most)) => format!(" from {least} to {most}"),
            (Some(least), None) => format!(" from {least}"),
            (None, Some(most)) => format!(" up to {most}"),
            (None, None) => String::new(),
        };
        Some(format!("expected a number{range}{}", got()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        Template::read(include_str!("../../../infra/template.yaml"))
    }

    fn set(values: &[(&str, &str)]) -> BTreeMap<String, String> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_template_is_read() {
        let template = template();
        assert!(template.parameters.len() > 35 && template.parameters.keys().all(|name| !name.contains(' ')));
        let scale = &template.parameters["Scale"];
        assert_eq!((scale.default.as_str(), scale.allowed.join(" ")), ("standard", "small standard large".to_owned()));
        let kept = &template.parameters["SecretsKeptSeconds"];
        assert_eq!((kept.least, kept.most, kept.is_number), (Some(1.0), Some(300.0), true));
        // Every setting of a policy and of polls that the functions read is one of these.
        for variable in
            ["STAGED_BATCHES", "MAX_FAILURE_RATE", "POLL_NEAR_SECONDS", "RETENTION_DAYS", "SECRETS_KEPT_SECONDS"]
        {
            assert!(template.variables.contains_key(variable), "{variable}");
        }
        assert!(template.check(&set(&[]), &set(&[])).is_ok(), "the defaults are right");
    }

    #[test]
    fn what_could_not_be_deployed_or_started_is_refused() {
        for (name, value, told) in [
            ("BatchDelayMinute", "0", "did you mean BatchDelayMinutes?"),
            ("batchdelayminutes", "0", "did you mean BatchDelayMinutes?"),
            ("Nonsense", "0", "the template has no such parameter"),
            ("\u{1b}[2J", "0", "\\u{1b}[2J: the template has no such parameter"),
            ("StagedBatches", "abc", "\"abc\""),
            ("DefaultStrategy", "yolo", "expected one of auto, staged, manual, scheduled"),
            ("BatchDelayMinutes", "soon", "expected a number from 0, got \"soon\""),
            ("BatchDelayMinutes", "1.5", "expected a whole number"),
            ("MaxFailureRate", "2", "expected a number from 0 to 1"),
            ("RetentionDays", "1", "from 31 to 3650"),
            ("AutoRollback", "yes", "true, false"),
            ("AllowedRegistries", "a b", "a b"),
            ("ExtraRegistries", "https://x", "ExtraRegistries: "),
            ("Scale", "huge", "small, standard, large"),
            ("ThrottleRate", "0", "from 1"),
            ("SigningKey", "short", "at least 32 characters"),
            ("OperatorTokenHashes", "hunter2", "no SHA-256"),
            ("WebhookSecrets", "hun\"ter2", "no quotation marks"),
            ("RegistryCredentials", "hunter2", "RegistryCredentials: "),
        ] {
            let asked = set(&[(name, value)]);
            let error = template().check(&asked, &asked).expect_err(name).to_string();
            assert!(error.contains(told), "{told} in {error}");
            assert_eq!(error.lines().count(), 2, "each is told once: {error}");
            assert!(!error.contains("hunter2") && !error.contains("set before"), "{error}");
        }
    }

    #[test]
    fn what_is_right_passes() {
        let right = set(&[
            ("StagedBatches", "5%,50%,100%"),
            ("MaxFailureRate", "0.1"),
            ("ExtraRegistries", "localhost:*,127.0.0.1:*"),
            ("RegistryCredentials", r#"{"127.0.0.1:5000":{"plain_http":true}}"#),
            ("LogRetentionDays", "1"),
            ("SigningKey", ""),
        ]);
        template().check(&right, &right).unwrap();
        let own = set(&[("SecretsName", "mine"), ("SigningKey", "short")]);
        template().check(&own, &own).unwrap();
    }

    #[test]
    fn what_was_set_before_is_known_as_such() {
        let before = set(&[("StagedBatches", "abc"), ("AutoRollback", "x")]);
        let error = template().check(&set(&[("AutoRollback", "x")]), &before).expect_err("wrong").to_string();
        assert_eq!(error.matches("it was set before; --default-parameters forgets it").count(), 1, "{error}");
    }
}
