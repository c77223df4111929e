//! A limit in bytes per second over all downloads together.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets so many bytes pass in a second. What arrived is paid for afterwards, by waiting before more is read: the
/// network's own flow control then slows the sender down. Who comes first pays first.
#[derive(Debug)]
pub(super) struct Throttle {
    rate: Option<NonZeroU64>,
    /// When all that passed is paid for.
    paid_at: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Of so many bytes per second; without a limit none is waited for.
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, paid_at: Mutex::new(None) }
    }

    /// Waits until these bytes are paid for.
    pub(super) async fn pay(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(rate.get());
        let cost = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let until = {
            let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let until = paid_at.map_or(now, |at| at.max(now)) + cost;
            *paid_at = Some(until);
            until
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    async fn seconds(work: impl Future<Output = ()>) -> f64 {
        let began = Instant::now();
        work.await;
        began.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn all_downloads_together_keep_the_limit() {
        for (label, rate, downloads, chunks, bytes, expected) in [
            ("one download", Some(1000), 1, 10, 500, 5.0),
            ("three share it", Some(1000), 3, 10, 500, 15.0),
            ("a chunk larger than a second's worth", Some(1000), 1, 1, 4000, 4.0),
            ("no limit", None, 3, 10, 1_000_000, 0.0),
        ] {
            let throttle = Throttle::new(rate.and_then(NonZeroU64::new));
            let download = || async {
                for _ in 0..chunks {
                    throttle.pay(bytes).await;
                }
            };
            let took = seconds(async { drop(join_all((0..downloads).map(|_| download())).await) }).await;
            assert!((took - expected).abs() < 0.1, "{label}: {took} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_is_not_saved_up() {
        let throttle = Throttle::new(NonZeroU64::new(1000));
        throttle.pay(1000).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let took = seconds(throttle.pay(2000)).await;
        assert!((took - 2.0).abs() < 0.1, "{took} s");
    }
}
