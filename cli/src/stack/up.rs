//! `up`: from nothing, or from whatever is there, to a stack that answers.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::access::Access;
use super::emulator::{self, Emulator, Wanted};
use super::parameters::Parameters;
use super::project::Project;
use super::script::Scripts;
use super::template::Template;
use super::{build, deploy, venv};
use crate::progress::Progress;

/// Longer ones make the longest of the names that are made of it (a rule's) longer than AWS takes.
const LONGEST_STACK_NAME: usize = 42;

/// A function's first answer includes the start of its process.
const FIRST_ANSWER_SECONDS: u64 = 60;

/// How to bring the stack up.
#[derive(Debug, Clone)]
pub(crate) struct UpOptions {
    /// Port of the emulator; by default 4566, or a free one near it.
    pub port: Option<u16>,
    /// Name of the stack.
    pub stack: String,
    /// Refuse what a function's role does not allow, as AWS does; costs two thirds of the emulator's speed. By default
    /// as it was before.
    pub enforce_permissions: Option<bool>,
    /// Parameters of the template that differ from those of the local stack; those of earlier times stay as they are.
    pub parameters: BTreeMap<String, String>,
    /// Forget the parameters of earlier times.
    pub default_parameters: bool,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self {
            port: None,
            stack: "tidegate".to_owned(),
            enforce_permissions: None,
            parameters: BTreeMap::new(),
            default_parameters: false,
        }
    }
}

/// Brings the local stack up to date and waits until it answers, then lets `seed` fill it. Repeating it is quick and
/// keeps the data. With `AWS_ENDPOINT_URL` set, deploys there instead of starting an emulator.
pub(crate) async fn up(
    project: &Project,
    options: &UpOptions,
    progress: &Progress,
    seed: impl AsyncFnOnce(&Access, &Progress) -> Result<()>,
) -> Result<Access> {
    check_name(&options.stack)?;
    let template = Template::of(project)?;
    let _lock = project.lock()?;
    let mut access = Access::load_or_create(project, &options.stack)?;
    access.stack.clone_from(&options.stack);
    // The secrets outlive a failure further on.
    access.save(project)?;
    let mut set = if options.default_parameters { Parameters::default() } else { Parameters::of_before(project)? };
    for name in set.forget_unknown(&template) {
        progress.say(&format!("the parameter {name}, set before, is forgotten: the template has none of that name"));
    }
    set.extend(&options.parameters);
    template.check(&options.parameters, &deploy::parameters(&access, set.all()))?;
    let external = external_endpoint()?;
    let wanted = Wanted { port: options.port, enforce_permissions: options.enforce_permissions };
    let build = build::functions(project, progress);
    let serve = async {
        let python = venv::ensure(project, progress).await?;
        let endpoint = match &external {
            Some(endpoint) => endpoint.clone(),
            None => emulator::ensure(project, &python, wanted, progress).await?.endpoint(),
        };
        Ok::<_, anyhow::Error>((python, endpoint))
    };
    let (functions, (python, endpoint)) = tokio::try_join!(build, serve)?;
    let scripts = Scripts { project, python, endpoint: &endpoint };
    deploy::deploy(&scripts, &mut access, &functions, set.all(), progress).await?;
    access.save(project)?;
    wait_for_answer(project, &access, progress).await?;
    // What the functions could not start with is not kept.
    set.save(project)?;
    seed(&access, progress).await.context("the stack is up, but could not be filled")?;
    Ok(access)
}

/// Refuses a stack name that something in the stack could not be named after.
fn check_name(stack: &str) -> Result<()> {
    let letters = stack.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !letters || !stack.starts_with(|c: char| c.is_ascii_lowercase()) || stack.len() > LONGEST_STACK_NAME {
        bail!(
            "a stack cannot be named {stack}: expected at most {LONGEST_STACK_NAME} lower-case letters, digits and \
             hyphens, beginning with a letter"
        );
    }
    Ok(())
}

/// The endpoint that the user runs by themselves.
pub(super) fn external_endpoint() -> Result<Option<String>> {
    let Some(endpoint) = std::env::var("AWS_ENDPOINT_URL").ok().filter(|endpoint| !endpoint.is_empty()) else {
        return Ok(None);
    };
    if endpoint.contains("amazonaws.com") {
        bail!("AWS_ENDPOINT_URL points to AWS; the local stack is not for that (README: deploying with sam)");
    }
    Ok(Some(endpoint.trim_end_matches('/').to_owned()))
}

async fn wait_for_answer(project: &Project, access: &Access, progress: &Progress) -> Result<()> {
    let step = progress.step("Waiting for the API's first answer");
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
    let url = format!("{}/api/v1/health", access.url);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(FIRST_ANSWER_SECONDS);
    loop {
        let answer = match client.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => break,
            Ok(answer) => format!("HTTP status {}", answer.status()),
            Err(error) => error.to_string(),
        };
        if tokio::time::Instant::now() > deadline {
            let log = match Emulator::recorded(project) {
                Some(_) => {
                    let log = project.shown("emulator.log");
                    format!("; the end of {log}:\n{}", emulator::log_tail(project))
                }
                None => String::new(),
            };
            bail!("the stack is deployed, but {url} does not answer as it should ({answer}){log}");
        }
        step.note(&answer);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    step.done("The API answers");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nothing_can_be_named_after_are_refused() {
        for good in ["tidegate", "t", &"t".repeat(42), "tidegate-2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "2tidegate", "Tidegate", "tide_gate", "tide.gate", &"t".repeat(43)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
