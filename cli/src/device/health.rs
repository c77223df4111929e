//! From container start to verdict: tries, retries, and how long the check must hold.

use std::time::Duration;

use tidegate_domain::health::HealthCheck;
use tokio::time::{Instant, sleep, timeout};

use super::containers::{Containers, Fault};

/// Shortest time between two tries.
const SHORTEST: Duration = Duration::from_millis(100);

/// What a health check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passed, and held.
    Healthy,
    /// It did not, for this reason.
    Unhealthy(String),
}

/// Checks until there is a verdict; at most `within` from now.
pub(crate) async fn verdict(
    containers: &mut impl Containers,
    service: &str,
    check: &HealthCheck,
    healthy_for: Duration,
    within: Duration,
) -> Result<Verdict, Fault> {
    let interval = Duration::from_secs(check.interval_seconds.into()).max(SHORTEST);
    let one_try = Duration::from_secs(check.timeout_seconds.into());
    let deadline = Instant::now() + within;
    let mut failures = 0;
    let mut healthy_since = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Verdict::Unhealthy(format!("no verdict within {} s", within.as_secs())));
        }
        let failed = match timeout(one_try.min(left), containers.probe(service, check)).await {
            Ok(Ok(())) => None,
            Ok(Err(Fault::Failed(reason))) => Some(reason),
            Ok(Err(Fault::Gone)) => return Err(Fault::Gone),
            Err(_) => Some(format!("no answer within {} s", check.timeout_seconds)),
        };
        let pause = if let Some(reason) = failed {
            failures += 1;
            healthy_since = None;
            if failures > check.retry_count {
                return Ok(Verdict::Unhealthy(reason));
            }
            interval
        } else {
            let held = healthy_since.get_or_insert_with(Instant::now).elapsed();
            if held >= healthy_for {
                return Ok(Verdict::Healthy);
            }
            interval.min(healthy_for.saturating_sub(held))
        };
        sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
    }
}
