//! Waiting after an error: what the server asks for, else exponential with full jitter. Pure.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// The longest wait, as docs/semantics.md promises.
const LONGEST: Duration = Duration::from_mins(15);

/// How long to wait after `failures` errors in a row; `share` is a random number from 0 to 1.
pub fn wait(failures: u32, asked: Option<Duration>, share: f64) -> Duration {
    if let Some(asked) = asked {
        // Never sooner than asked; a tenth later at most, so that not all come back together.
        return asked.min(LONGEST).mul_f64(1.0 + share / 10.0);
    }
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(LONGEST).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_cap_and_obeys_the_server() {
        let seconds = Duration::from_secs;
        for (label, failures, asked, share, expected) in [
            ("first", 1, None, 1.0, seconds(1)),
            ("fourth", 4, None, 1.0, seconds(8)),
            ("jitter", 4, None, 0.25, seconds(2)),
            ("cap", 60, None, 1.0, seconds(900)),
            ("asked", 9, Some(seconds(3)), 0.0, seconds(3)),
            ("asked, jittered", 9, Some(seconds(10)), 1.0, seconds(11)),
        ] {
            assert_eq!(wait(failures, asked, share), expected, "{label}");
        }
    }
}
