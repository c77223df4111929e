//! Secrets are never shown, and reach only the functions that use them.

use crate::document::{Template, list, walk};

/// Parameter, variable, and the functions that have it.
const SECRETS: [(&str, &str, &[&str]); 5] = [
    ("OperatorTokenHashes", "OPERATOR_TOKEN_HASHES", &["device-state", "policies", "rollouts"]),
    ("ProvisioningKeyHashes", "PROVISIONING_KEY_HASHES", &["device-state"]),
    ("WebhookSecrets", "WEBHOOK_SECRETS", &["webhooks"]),
    ("SigningKey", "SIGNING_KEY", &["device-state", "policies", "rollouts", "webhooks"]),
    ("RegistryCredentials", "REGISTRY_CREDENTIALS", &["batch-worker"]),
];

#[test]
fn every_secret_is_not_echoed_and_no_default_is_one() {
    let template = Template::read();
    for (name, parameter) in template.section("Parameters") {
        let secret = SECRETS.iter().any(|(parameter, _, _)| parameter == name);
        assert_eq!(parameter["NoEcho"] == true, secret, "{name}");
        if secret {
            assert_eq!(parameter["Default"], "", "{name}");
        }
    }
}

#[test]
fn a_secret_reaches_the_functions_that_use_it_and_no_other() {
    let template = Template::read();
    for (parameter, variable, users) in SECRETS {
        assert!(template.shared_by_functions()["Environment"]["Variables"][variable].is_null(), "{variable}");
        let mut found: Vec<&str> = template
            .functions()
            .filter(|(_, function)| !function["Environment"]["Variables"][variable].is_null())
            .map(|(name, _)| name)
            .collect();
        found.sort_unstable();
        assert_eq!(found, users, "{variable}");
        for (name, function) in template.functions().filter(|(name, _)| users.contains(name)) {
            let ways = list(&function["Environment"]["Variables"][variable]["Fn::If"]);
            assert_eq!(ways[0], "SecretsFromStore", "{name}: {variable}");
            let from_store = ways[1]["Fn::Sub"].as_str().expect("the secret store");
            let key = variable.to_lowercase();
            assert!(from_store.contains(&format!(":SecretString:{key}:")), "{name}: {from_store}");
            assert_eq!(ways[2]["Ref"], parameter, "{name}: {variable}");
        }
    }
}

#[test]
fn no_output_shows_a_secret() {
    let template = Template::read();
    for (name, output) in template.section("Outputs") {
        walk(output, &mut |value| {
            for (parameter, _, _) in SECRETS {
                let text = value.as_str().unwrap_or_default();
                assert!(value["Ref"] != parameter && !text.contains(&format!("${{{parameter}}}")), "{name}");
            }
        });
    }
}

#[test]
fn access_logs_name_the_route_and_never_the_path() {
    let template = Template::read();
    let format = template.properties("ApiStage")["AccessLogSettings"]["Format"].as_str().expect("access logs");
    assert!(format.contains("$context.routeKey"));
    assert!(!format.contains("$context.path"), "a webhook's path may carry its secret");
}
