//! From container start to verdict: tries, retries, and how long the check must hold.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::fault::{Fault, Reason};
use crate::runtime::{ContainerId, Runtime, State};
use crate::update::swap::SwapOptions;

/// Shortest time between two tries.
const SHORTEST: Duration = Duration::from_millis(100);

/// How long a container must run where no check says more: one that ends at once has ended by then.
const RUNS_FOR: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until the new container is healthy as `options` say, or answers why it is not. An engine that does not answer
/// is no verdict: it takes time, and no try.
pub async fn verdict<E: Runtime>(
    runtime: &E,
    service: &str,
    id: &ContainerId,
    options: &SwapOptions,
) -> Result<(), Fault> {
    let Some(check) = &options.check else { return stays(runtime, service, id).await };
    let healthy_for = Duration::from_secs(options.healthy_for_seconds.into());
    let interval = Duration::from_secs(check.interval_seconds.into()).max(SHORTEST);
    let one_try = Duration::from_secs(check.timeout_seconds.into());
    let within = Duration::from_secs(options.within_seconds.into());
    let deadline = Instant::now() + within;
    let mut failures = 0;
    let mut healthy_since = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::new(Reason::Unhealthy, format!("no verdict within {} s", within.as_secs())));
        }
        let failed = match timeout(one_try.min(left), runtime.probe(service, id, check)).await {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some(Fault::new(Reason::Unhealthy, format!("no answer within {} s", check.timeout_seconds))),
        };
        let pause = match failed {
            Some(fault) if fault.reason == Reason::EngineUnavailable => {
                healthy_since = None;
                interval
            }
            Some(fault) => {
                failures += 1;
                healthy_since = None;
                if let Some(ended) = ended(runtime, service, id).await {
                    return Err(ended);
                }
                if failures > check.retry_count {
                    return Err(Fault::new(Reason::Unhealthy, fault.why));
                }
                interval
            }
            None => {
                let held = healthy_since.get_or_insert_with(Instant::now).elapsed();
                if held >= healthy_for {
                    return Ok(());
                }
                interval.min(healthy_for.saturating_sub(held))
            }
        };
        sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
    }
}

/// Whether the container runs, and still does a while after its start.
pub async fn stays<E: Runtime>(runtime: &E, service: &str, id: &ContainerId) -> Result<(), Fault> {
    let since = Instant::now();
    loop {
        let containers = runtime.containers(service).await?;
        match containers.into_iter().find(|container| container.id == *id).map(|container| container.state) {
            Some(State::Running) if since.elapsed() >= RUNS_FOR => return Ok(()),
            Some(State::Running) => {}
            Some(State::Restarting(code) | State::Exited(code)) => {
                let words = quoted(&runtime.last_words(id).await);
                return Err(Fault::new(Reason::ExitsAtOnce, format!("the container ended with code {code}{words}")));
            }
            Some(State::Created) | None => return Err(Fault::new(Reason::Refused, "the container is not there")),
        }
        sleep(LOOK).await;
    }
}

/// Why a container that ended for good did; one that its engine starts again has further tries.
async fn ended<E: Runtime>(runtime: &E, service: &str, id: &ContainerId) -> Option<Fault> {
    let containers = runtime.containers(service).await.ok()?;
    match containers.into_iter().find(|container| container.id == *id)?.state {
        State::Exited(code) => {
            let words = runtime.last_words(id).await;
            let why = format!("the container ended with code {code}{}", quoted(&words));
            Some(Fault::new(Reason::ExitsAtOnce, why))
        }
        State::Created | State::Running | State::Restarting(_) => None,
    }
}

/// The last of what a container said, short enough for a report.
fn quoted(words: &str) -> String {
    const KEPT: usize = 120;
    let line = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let short: String = line.chars().take(KEPT).collect();
    if short.is_empty() { String::new() } else { format!(": {short}") }
}
