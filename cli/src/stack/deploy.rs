//! Deploying `infra/template.yaml` through `CloudFormation`, with the parameters of the local stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::access::{Access, token_hash};
use super::script::Scripts;
use crate::progress::Progress;

/// Stage of the API on the local stack.
const STAGE: &str = "local";

#[derive(Serialize)]
struct Request<'a> {
    stack: &'a str,
    template: PathBuf,
    packages: PathBuf,
    functions: &'a BTreeMap<String, PathBuf>,
    parameters: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Removal<'a> {
    stack: &'a str,
    remove: bool,
}

#[derive(Deserialize)]
struct Deployed {
    action: String,
    outputs: BTreeMap<String, String>,
}

/// Creates or updates the stack; fills in the outputs and the API's address.
pub(super) async fn deploy(
    scripts: &Scripts<'_>,
    access: &mut Access,
    functions: &BTreeMap<String, PathBuf>,
    overrides: &BTreeMap<String, String>,
    progress: &Progress,
) -> Result<()> {
    let step = progress.step("Deploying infra/template.yaml");
    let parameters = parameters(access, overrides);
    let stage = parameters.get("StageName").map_or(STAGE, String::as_str).to_owned();
    let request = Request {
        stack: &access.stack,
        template: scripts.project.infra("template.yaml"),
        packages: scripts.project.state_file("packages"),
        functions,
        parameters,
    };
    let deployed: Deployed = scripts.run("deploy.py", &request, &step).await.context("the stack was not deployed")?;
    let api = deployed.outputs.get("ApiId").context("the template has no output ApiId")?;
    // Path style needs neither DNS nor a Host header; MiniStack and LocalStack both have it.
    access.url = format!("{}/_aws/execute-api/{api}/{stage}", scripts.endpoint);
    scripts.endpoint.clone_into(&mut access.endpoint);
    access.outputs = local(deployed.outputs, &access.url, scripts.endpoint);
    step.done(&format!("The stack {} is {}", access.stack, deployed.action));
    Ok(())
}

/// The outputs as they hold on this machine. The template names the hosts that AWS would give: whoever called them would
/// send a token out of this machine, to a name that somebody else may have.
fn local(outputs: BTreeMap<String, String>, url: &str, endpoint: &str) -> BTreeMap<String, String> {
    let here = |(name, value): (String, String)| {
        let Some(host) = host(&value) else { return Some((name, value)) };
        if is_local(host) || Some(host) == self::host(endpoint) {
            return Some((name, value));
        }
        let id = host.split('.').next().unwrap_or_default();
        match name.as_str() {
            "ApiUrl" => Some((name, url.to_owned())),
            // Path style, as the API's.
            "DeviceStateUrl" => Some((name, format!("{endpoint}/_aws/lambda-url/{id}"))),
            _ => None,
        }
    };
    outputs.into_iter().filter_map(here).collect()
}

/// The host of a URL, without its port; none where the text is no URL.
fn host(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    Some(authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(authority, |(host, _)| host))
}

fn is_local(host: &str) -> bool {
    // LocalStack's name, too, means the loopback address.
    host == "localhost"
        || host == "127.0.0.1"
        || host == "[::1]"
        || host.ends_with(".localhost")
        || host.ends_with(".localhost.localstack.cloud")
}

/// Removes the stack from an endpoint that goes on running.
pub(super) async fn remove(scripts: &Scripts<'_>, stack: &str, progress: &Progress) -> Result<()> {
    let step = progress.step("Removing the stack");
    let _: Deployed = scripts.run("deploy.py", &Removal { stack, remove: true }, &step).await?;
    step.done(&format!("The stack {stack} is removed"));
    Ok(())
}

/// What differs from AWS: secrets of this checkout, everything published is kept to be looked at, and devices poll
/// often; and what was `set`, which wins.
pub(super) fn parameters(access: &Access, set: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        ("OperatorTokenHashes", token_hash(&access.operator_token).as_str()),
        ("ProvisioningKeyHashes", token_hash(&access.provisioning_key).as_str()),
        ("WebhookSecrets", &access.webhook_secret),
        ("SigningKey", &access.signing_key),
        ("StageName", STAGE),
        ("CaptureEvents", "true"),
        ("ProtectData", "false"),
        ("PollIdleSeconds", "10"),
        ("PollNearSeconds", "2"),
        // Where a registry on this machine, and the demo's, is.
        ("ExtraRegistries", "localhost:*,127.0.0.1:*"),
        ("DeviceStateConcurrency", "0"),
        ("RolloutsConcurrency", "0"),
        ("SecretsKeptSeconds", "10"),
        ("Scale", "small"),
        ("LogRetentionDays", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    all.extend(set.clone());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_output_leads_out_of_this_machine() {
        let endpoint = "http://127.0.0.1:4566";
        let url = "http://127.0.0.1:4566/_aws/execute-api/abc/local";
        let outputs = [
            ("ApiId", "abc"),
            ("ApiUrl", "https://abc.execute-api.us-east-1.amazonaws.com/local"),
            ("DeviceStateUrl", "https://f00.lambda-url.us-east-1.on.aws/"),
            ("StepQueueUrl", "http://localhost:4566/000000000000/tidegate-step"),
            ("BatchQueueUrl", "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/tidegate-batch"),
            ("SomethingNew", "https://tidegate.example.com/x"),
            ("AlertsTopicArn", "arn:aws:sns:us-east-1:000000000000:tidegate-alerts"),
        ];
        let outputs = outputs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let local = local(outputs, url, endpoint);
        assert_eq!(local["ApiUrl"], url);
        assert_eq!(local["DeviceStateUrl"], "http://127.0.0.1:4566/_aws/lambda-url/f00");
        assert!(!local.contains_key("SomethingNew"));
        assert_eq!(local.len(), 6);
        for (name, value) in &local {
            assert!(host(value).is_none_or(is_local), "{name}: {value}");
        }
    }
}
