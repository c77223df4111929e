//! Where a function's loop runs.

use lambda_runtime::Error;

/// Runs a function's loop as a task of the runtime, and not as the future that the runtime was started with: waking that
/// one takes a write to the runtime's own file descriptor and another wait, three times in each invocation.
pub async fn as_a_task(work: impl Future<Output = Result<(), Error>> + Send + 'static) -> Result<(), Error> {
    tokio::spawn(work).await?
}
