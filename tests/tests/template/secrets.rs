//! Secrets are never shown, and reach only the functions that use them.

use serde_json::{Value, json};

use crate::document::{Template, list, target, walk};

/// The parameters that are secrets, and their keys in the secret.
const SECRETS: [(&str, &str); 5] = [
    ("OperatorTokenHashes", "operator_token_hashes"),
    ("ProvisioningKeyHashes", "provisioning_key_hashes"),
    ("WebhookSecrets", "webhook_secrets"),
    ("SigningKey", "signing_key"),
    ("RegistryCredentials", "registry_credentials"),
];

/// The functions that recognise callers or ask registries.
const READERS: [&str; 5] = ["batch-worker", "device-state", "policies", "rollouts", "webhooks"];

#[test]
fn every_secret_is_not_echoed_and_no_default_is_one() {
    let template = Template::read();
    for (name, parameter) in template.section("Parameters") {
        let secret = SECRETS.iter().any(|(parameter, _)| parameter == name);
        assert_eq!(parameter["NoEcho"] == true, secret, "{name}");
        if secret {
            assert_eq!(parameter["Default"], "", "{name}");
        }
    }
}

#[test]
fn no_environment_holds_a_secret() {
    let template = Template::read();
    let shared = [("all", template.shared_by_functions())];
    for (name, function) in template.functions().chain(shared) {
        walk(&function["Environment"], &mut |value| {
            let text = value.as_str().unwrap_or_default();
            assert!(!text.contains("resolve:"), "{name}: {text}");
            for (parameter, key) in SECRETS {
                assert!(value["Ref"] != parameter && !text.contains(&format!("${{{parameter}}}")), "{name}");
                assert!(value[key.to_uppercase()].is_null(), "{name} is told of {key}");
            }
        });
    }
}

#[test]
fn functions_that_need_the_secret_are_told_where_it_is_and_may_read_it_and_others_are_not() {
    let template = Template::read();
    let given = |by_name: Value| json!({"Fn::If": ["SecretsByArn", {"Ref": "SecretsArn"}, by_name]});
    let place = json!({"Fn::If": ["OwnSecret", {"Ref": "StackSecret"}, given(json!({"Ref": "SecretsName"}))]});
    for (name, function) in template.functions() {
        let variables = &function["Environment"]["Variables"];
        let role = template.properties(target(&function["Role"]));
        let statements = list(&role["Policies"][0]["PolicyDocument"]["Statement"]);
        let reads = statements.iter().find(|statement| statement["Sid"] == "Secrets");
        if !READERS.contains(&name) {
            assert!(variables["SECRETS_ARN"].is_null() && reads.is_none(), "{name}");
            continue;
        }
        assert_eq!(variables["SECRETS_ARN"], place, "{name}");
        assert_eq!(variables["SECRETS_KEPT_SECONDS"], json!({"Ref": "SecretsKeptSeconds"}), "{name}");
        let reads = reads.unwrap_or_else(|| panic!("{name} may not read the secret"));
        assert_eq!(reads["Action"], json!(["secretsmanager:GetSecretValue"]), "{name}");
        let named = json!({"Fn::Sub":
            "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${SecretsName}-??????"});
        let wanted = json!({"Fn::If": ["OwnSecret", {"Ref": "StackSecret"}, given(named)]});
        assert_eq!(reads["Resource"], wanted, "{name}");
    }
    let kept = &template.section("Parameters")["SecretsKeptSeconds"];
    assert_eq!(
        (&kept["Default"], &kept["MaxValue"]),
        (&json!(300), &json!(300)),
        "a rotation takes five minutes at most"
    );
}

#[test]
fn the_stacks_own_secret_has_every_key() {
    let template = Template::read();
    let text = &template.properties("StackSecret")["SecretString"]["Fn::Sub"];
    let mut json = text[0].as_str().expect("a text").to_owned();
    for (parameter, _) in SECRETS {
        json = json.replace(&format!("${{{parameter}}}"), "x");
    }
    let json: Value = serde_json::from_str(&json.replace("${Registries}", r#"{"ghcr.io": {}}"#)).expect("JSON");
    let keys: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut wanted = SECRETS.map(|(_, key)| key);
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    assert_eq!(text[1]["Registries"]["Fn::If"][1], json!({"Ref": "RegistryCredentials"}));
}

#[test]
fn no_output_shows_a_secret() {
    let template = Template::read();
    for (name, output) in template.section("Outputs") {
        walk(output, &mut |value| {
            for (parameter, _) in SECRETS {
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
