//! Running the Python scripts of `infra/` in the private environment: JSON in, JSON out, what they do on the way told.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use super::project::Project;
use crate::progress::Step;

/// Region of the emulator.
pub(super) const REGION: &str = "us-east-1";

/// Hosts that are never asked through a proxy.
pub(super) const LOOPBACK: &str = "127.0.0.1,localhost,::1";

/// The scripts of a checkout, speaking to one endpoint.
pub(super) struct Scripts<'a> {
    /// The checkout.
    pub(super) project: &'a Project,
    /// The environment's interpreter.
    pub(super) python: PathBuf,
    /// Where the AWS interfaces are.
    pub(super) endpoint: &'a str,
}

impl Scripts<'_> {
    /// Runs `infra/<name>`, giving it `request` on standard input, so that no secret is an argument.
    pub(super) async fn run<T: DeserializeOwned>(
        &self,
        name: &str,
        request: &impl Serialize,
        step: &Step,
    ) -> Result<T> {
        let mut child = aws_environment(interpreter(&self.python), self.endpoint)
            .arg(self.project.infra(name))
            .current_dir(self.project.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", self.python.display()))?;
        let mut input = child.stdin.take().context("the script has no input")?;
        // A script that ends at once says why on its error output; that its input broke is no news.
        let _ = input.write_all(&serde_json::to_vec(request)?).await;
        drop(input);
        let mut lines = BufReader::new(child.stderr.take().context("the script has no error output")?).lines();
        let tell = async {
            let mut said = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                step.note(&line);
                said.push(line);
            }
            said
        };
        let (said, output) = tokio::join!(tell, child.wait_with_output());
        let output = output?;
        if !output.status.success() {
            let reason = said.iter().find_map(|line| line.strip_prefix("error: ")).map(str::to_owned);
            bail!("{}", reason.unwrap_or_else(|| said.join("\n")));
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{name} answered something else than JSON"))
    }
}

/// The interpreter as it is meant to run: nothing of the user's Python set-up, no compiled files in the checkout.
pub(super) fn interpreter(python: &std::path::Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-E", "-s", "-B", "-W", "ignore"]);
    command
}

/// The environment of everything that speaks to the emulator: its endpoint and made-up credentials, and nothing of an
/// AWS account that the user may have.
pub(super) fn aws_environment(mut command: Command, endpoint: &str) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", LOOPBACK)
        .env("no_proxy", LOOPBACK);
    command
}
