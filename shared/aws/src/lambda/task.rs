//! Where a function's loop runs.

use std::time::Duration;

use lambda_runtime::Error;
use tokio::time::interval;

/// Shorter than any timeout of a call.
const TICK: Duration = Duration::from_secs(1);

/// Runs a function's loop as a task of the runtime, and not as the future that the runtime was started with: waking that
/// one takes a write to the runtime's own file descriptor and another wait, three times in each invocation. So does each
/// timeout that is due before everything else that is timed; beside a clock that ticks, none of a call's is.
pub async fn as_a_task(work: impl Future<Output = Result<(), Error>> + Send + 'static) -> Result<(), Error> {
    let ticking = tokio::spawn(async {
        let mut clock = interval(TICK);
        loop {
            clock.tick().await;
        }
    });
    let done = tokio::spawn(work).await;
    ticking.abort();
    done?
}
