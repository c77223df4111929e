//! Waiting for what can be observed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Far longer than anything here takes, on a busy machine too.
const LONGEST: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until something is there; in the end says what was waited for.
pub(super) async fn until<T>(label: &str, what: &str, look: impl AsyncFn() -> Option<T>) -> Result<T> {
    eprintln!("{label}: waiting until {what}");
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if began.elapsed() > LONGEST {
            bail!("waited {} s in vain until {what}", LONGEST.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
