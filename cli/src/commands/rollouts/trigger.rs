//! `tidegate rollouts trigger`: an image rolled out without a push.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::show;
use crate::api::{Api, ApiError, Call, Caller};
use crate::arguments;

/// A manual trigger.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command")]
pub(crate) struct Trigger {
    /// The image with its tag or digest, such as ghcr.io/owner/app:1.4.2
    image: String,
    /// Another strategy than the policies'; one that passes over what a policy wants needs the overrides below
    #[arg(long)]
    strategy: Option<Strategy>,
    /// Start no earlier than this, such as 2026-12-01T20:00:00Z
    #[arg(long, value_name = "TIME")]
    not_before: Option<jiff::Timestamp>,
    /// Ask nobody for a yes, although the policy wants one
    #[arg(long, requires = "reason")]
    override_approval: bool,
    /// Update all devices at once, although the policy wants batches
    #[arg(long, requires = "reason")]
    override_batches: bool,
    /// Do not wait for the policy's maintenance windows
    #[arg(long, requires = "reason")]
    override_window: bool,
    /// Why; told with the rollout and its event
    #[arg(long)]
    reason: Option<String>,
    /// Although the image failed before: on the devices that failed, or on all
    #[arg(long)]
    retry: Option<Retry>,
    /// Only this fleet
    #[arg(long)]
    fleet: Option<String>,
    /// Only devices with this tag (KEY:VALUE is taken as well); of several, with all
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = arguments::tag)]
    tags: Vec<(String, String)>,
    /// Say what would happen; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A strategy.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Strategy {
    /// All devices at once.
    Auto,
    /// Batch by batch.
    Staged,
    /// An approval, then batches.
    Manual,
    /// Batches inside maintenance windows.
    Scheduled,
}

impl Strategy {
    const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Staged => "staged",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
        }
    }
}

/// Which devices an image that failed is tried on again.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Retry {
    /// Those on which it failed.
    Failed,
    /// Every one.
    All,
}

impl Trigger {
    /// Rolls out, or says what would happen; fails where nothing was, or would be, rolled out.
    pub(super) async fn run(self, api: &Api) -> Result<ExitCode> {
        let mut body = json!({ "image": self.image, "filters": {} });
        if let Some(strategy) = self.strategy {
            body["strategy"] = strategy.name().into();
        }
        if let Some(at) = self.not_before {
            body["not_before"] = at.to_string().into();
        }
        for (safeguard, said) in
            [("approval", self.override_approval), ("batches", self.override_batches), ("window", self.override_window)]
        {
            if said {
                body["override"][safeguard] = true.into();
            }
        }
        if let Some(reason) = self.reason {
            body["reason"] = reason.into();
        }
        if let Some(retry) = self.retry {
            body["retry"] = match retry {
                Retry::Failed => "failed".into(),
                Retry::All => "all".into(),
            };
        }
        if let Some(fleet) = self.fleet {
            body["filters"]["fleet_id"] = fleet.into();
        }
        if !self.tags.is_empty() {
            let tags = self.tags.iter().map(|(key, value)| format!("{key}={value}"));
            body["filters"]["device_tags"] = tags.collect::<Vec<_>>().into();
        }
        let call = Call::new(Method::POST, "/api/v1/images/trigger-update", Caller::Operator)
            .query("dry_run", self.dry_run.then_some(true))
            .json(&body);
        // Not repeated by itself: each trigger may begin a rollout.
        let answer: Value = api.once(&call).await.map_err(with_flags)?.read()?;
        show::triggered(&answer, self.json)?;
        Ok(if refused(&answer) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// A refusal for want of overrides, with the flags that say them.
fn with_flags(error: ApiError) -> anyhow::Error {
    let said = error.problem().map(|problem| flags(problem.errors.iter().map(|(pointer, _)| pointer.as_str())));
    match said.filter(|said| !said.is_empty()) {
        Some(said) => anyhow::anyhow!("{error}\nTo do it all the same: {said} --reason WHY"),
        None => error.into(),
    }
}

/// The flags that say these fields of `override`.
fn flags<'a>(pointers: impl Iterator<Item = &'a str>) -> String {
    let mut flags: Vec<String> = pointers
        .filter_map(|pointer| pointer.strip_prefix("/override/"))
        .map(|safeguard| format!("--override-{safeguard}"))
        .collect();
    flags.sort();
    flags.dedup();
    flags.join(" ")
}

/// Whether a policy left the image out, or its rollout failed at once, or a dry run showed what would be refused.
fn refused(answer: &Value) -> bool {
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let left = |one: &Value| one["status"] == "ignored" || one["status"] == "failed";
    list("rollouts").iter().chain(&list("outcomes")).any(left)
        || list("passed_over").iter().any(|over| over["unsaid"].as_array().is_some_and(|unsaid| !unsaid.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_is_no_success() {
        for (label, answer, fails) in [
            ("begun", json!({"rollouts": [{"status": "rollout_created"}]}), false),
            ("live already", json!({"rollouts": [{"status": "duplicate"}]}), false),
            (
                "one policy ignores newer images now",
                json!({"rollouts": [{"status": "queued"}, {"status": "ignored"}]}),
                true,
            ),
            ("a dry run", json!({"total_devices": 3, "passed_over": []}), false),
            ("a policy that does not fit", json!({"rollouts": [{"status": "failed"}]}), true),
            ("a dry run of one", json!({"outcomes": [{"status": "failed"}]}), true),
            ("a dry run, all said", json!({"passed_over": [{"safeguards": ["batches"], "unsaid": []}]}), false),
            ("a dry run of what is kept out", json!({"outcomes": [{"status": "ignored"}]}), true),
            ("a dry run of what needs a word", json!({"passed_over": [{"unsaid": ["batches"]}]}), true),
        ] {
            assert_eq!(refused(&answer), fails, "{label}");
        }
    }

    #[test]
    fn overrides_are_told_as_flags_once_each() {
        let pointers = ["/override/batches", "/override/approval", "/override/batches", "/image"];
        assert_eq!(flags(pointers.into_iter()), "--override-approval --override-batches");
        assert_eq!(flags(["/strategy"].into_iter()), "");
    }
}
