//! What the secret says: JSON, with a key for each of the stack's secrets.

use serde_json::{Map, Value};

use super::access::Access;
use crate::config::{Reader, VariableError};
use crate::registry_credentials::RegistryCredentials;

/// Every secret of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretValues {
    /// Who may call.
    pub access: Access,
    /// Registries that may be asked.
    pub registries: RegistryCredentials,
}

/// The text is none of the stack's secrets. Never shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    /// No JSON object.
    #[error("expected a JSON object, {0}")]
    Json(String),
    /// Keys of it are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Keys(Vec<VariableError>),
}

impl SecretValues {
    /// Reads the secret's text. A value may be a text, or (`registry_credentials`) JSON itself.
    pub fn parse(text: &str) -> Result<Self, ValuesError> {
        let broken = |error: serde_json::Error| {
            // serde_json's own words can quote what they are about.
            ValuesError::Json(format!("line {}, column {} is none", error.line(), error.column()))
        };
        let values: Map<String, Value> = serde_json::from_str(text).map_err(broken)?;
        let value = |name: &str| match values.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let mut reader = Reader::new(&value);
        let read = Self {
            access: Access::read(&mut reader),
            registries: reader.secret("registry_credentials", RegistryCredentials::parse).unwrap_or_default(),
        };
        reader.finish(read).map_err(ValuesError::Keys)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(values: &Value) -> Result<SecretValues, ValuesError> {
        SecretValues::parse(&values.to_string())
    }

    #[test]
    fn keys_are_read() {
        let hash = "ab".repeat(32);
        let values = parsed(&json!({
            "operator_token_hashes": hash, "provisioning_key_hashes": format!("{hash}, {hash}:north|south"),
            "webhook_secrets": "old,new", "signing_key": "k".repeat(32), "registry_credentials": "", "another": 1,
        }))
        .unwrap();
        assert_eq!(values.access.operator_tokens.len(), 1);
        assert_eq!(values.access.provisioning_keys[1].fleets, ["north", "south"]);
        assert_eq!(values.access.webhook_secrets.len(), 2);
        assert!(values.access.signing_key.is_some());
        assert_eq!(values.registries, RegistryCredentials::default());
        assert_eq!(parsed(&json!({})).unwrap(), SecretValues::default());
    }

    #[test]
    fn registries_are_text_or_json() {
        let registries = json!({"ghcr.io": {"username": "u", "password": "p"}});
        let as_json = parsed(&json!({ "registry_credentials": registries })).unwrap();
        let as_text = parsed(&json!({"registry_credentials": registries.to_string()})).unwrap();
        assert_eq!(as_json, as_text);
        assert_ne!(as_json.registries, RegistryCredentials::default());
    }

    #[test]
    fn every_mistake_is_named_and_no_secret_is() {
        let error = parsed(&json!({
            "signing_key": "hunter2", "operator_token_hashes": "hunter2", "registry_credentials": "hunter2",
            "webhook_secrets": "hunter2,hunter2,hunter2",
        }))
        .unwrap_err();
        let told = error.to_string();
        for key in ["operator_token_hashes", "webhook_secrets", "signing_key", "registry_credentials"] {
            assert!(told.contains(key), "{told}");
        }
        assert!(!told.contains("hunter2"), "{told}");
        for broken in ["hunter2", r#"{"signing_key": "hunter2"#, r#"["hunter2"]"#, ""] {
            let told = SecretValues::parse(broken).unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn values_do_not_print_themselves() {
        let values = parsed(&json!({"signing_key": "hunter2".repeat(5), "webhook_secrets": "hunter2"})).unwrap();
        assert!(!format!("{values:?}").contains("hunter2"));
    }
}
