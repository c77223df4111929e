//! A function as a process that was given a Runtime API.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Bytes;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::runtime::Runtime;
use super::world::{PREFIX, World};

/// Far longer than any of them needs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running function that has asked for an event.
pub(super) struct Function {
    runtime: Runtime,
    child: Child,
}

impl Function {
    /// Starts it; it is there when it asks for its first event.
    pub(super) async fn start(program: &Path, world: &World) -> Result<Self> {
        let runtime = Runtime::start().await?;
        let child = Command::new(program)
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", runtime.address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "bench"),
                ("AWS_SECRET_ACCESS_KEY", "bench"),
                ("AWS_SESSION_TOKEN", "bench"),
                ("AWS_ENDPOINT_URL", world.dynamodb.as_str()),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", world.secrets.as_str()),
                ("SECRETS_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:bench-a1b2c3"),
                ("TABLE_PREFIX", PREFIX),
                ("STEP_QUEUE_URL", "http://127.0.0.1:1/step"),
                ("STEP_QUEUE_ARN", "arn:aws:sqs:us-east-1:123456789012:step"),
                ("BATCH_QUEUE_URL", "http://127.0.0.1:1/batch"),
                ("EVENT_BUS_NAME", "bench"),
                ("SCHEDULER_GROUP", "bench"),
                ("SCHEDULER_ROLE_ARN", "arn:aws:iam::123456789012:role/bench"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", program.display()))?;
        timeout(PATIENCE, runtime.asked()).await.context("it does not ask for an event")??;
        Ok(Self { runtime, child })
    }

    /// Gives it an event; its answer is there when it asks for the next one.
    pub(super) async fn invoke(&self, event: &Bytes) -> Result<Value> {
        timeout(PATIENCE, self.runtime.invoke(event)).await.context("it does not answer")?
    }

    /// The processor time that its threads have taken so far, in milliseconds: nanoseconds in `schedstat`, where `stat`
    /// counts hundredths of a second.
    pub(super) fn processor_ms(&self) -> Result<f64> {
        let pid = self.child.id().context("it has ended")?;
        let mut nanoseconds = 0_u64;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e6)
    }

    /// The most memory that it has had.
    pub(super) fn memory_kib(&self) -> Result<u64> {
        let pid = self.child.id().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel says no peak")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
