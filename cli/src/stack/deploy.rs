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
    let mut parameters = parameters(access);
    parameters.extend(overrides.clone());
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
    access.outputs = deployed.outputs;
    step.done(&format!("The stack {} is {}", access.stack, deployed.action));
    Ok(())
}

/// Removes the stack from an endpoint that goes on running.
pub(super) async fn remove(scripts: &Scripts<'_>, stack: &str, progress: &Progress) -> Result<()> {
    let step = progress.step("Removing the stack");
    let _: Deployed = scripts.run("deploy.py", &Removal { stack, remove: true }, &step).await?;
    step.done(&format!("The stack {stack} is removed"));
    Ok(())
}

/// What differs from AWS: secrets of this checkout, everything published is kept to be looked at, and devices poll often.
fn parameters(access: &Access) -> BTreeMap<String, String> {
    [
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
    .into()
}
