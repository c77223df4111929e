//! How long what was read is used, and when it is read again. No clock: the time is told.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// How long the last value holds while it cannot be read again: long enough for an outage of Secrets Manager, short
/// enough that a leaked secret that was taken away does not open doors for a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// How long a failure keeps others from trying: a call that fails takes seconds, which no request should wait for.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// A value that is read again and again.
#[derive(Debug)]
pub(super) struct Kept<T> {
    fresh: SignedDuration,
    read: Option<(Timestamp, Arc<T>)>,
    failed: Option<Timestamp>,
}

impl<T> Kept<T> {
    /// Nothing yet; what is taken is fresh for this long.
    pub(super) fn new(fresh: SignedDuration) -> Self {
        Self { fresh, read: None, failed: None }
    }

    /// Whether it is to be read now.
    pub(super) fn due(&self, now: Timestamp) -> bool {
        let within = |since: Timestamp, span| (SignedDuration::ZERO..span).contains(&now.duration_since(since));
        let fresh = self.read.as_ref().is_some_and(|(at, _)| within(*at, self.fresh));
        !fresh && !self.failed.is_some_and(|at| within(at, PAUSE))
    }

    /// It was read.
    pub(super) fn took(&mut self, value: T, now: Timestamp) -> Arc<T> {
        let value = Arc::new(value);
        self.failed = None;
        self.read = Some((now, Arc::clone(&value)));
        value
    }

    /// It could not be read.
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.failed = Some(now);
    }

    /// The last value, however old.
    pub(super) fn last(&self) -> Option<Arc<T>> {
        self.read.as_ref().map(|(_, value)| Arc::clone(value))
    }

    /// The last value, unless it is too old.
    pub(super) fn value(&self, now: Timestamp) -> Option<Arc<T>> {
        let (at, value) = self.read.as_ref()?;
        (now.duration_since(*at) < LONGEST).then(|| Arc::clone(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn kept(second: i64) -> Kept<&'static str> {
        let mut kept = Kept::new(SignedDuration::from_mins(5));
        kept.took("old", at(second));
        kept
    }

    #[test]
    fn it_is_read_at_the_start_and_every_five_minutes() {
        assert!(Kept::<()>::new(SignedDuration::from_mins(5)).due(at(0)));
        let mut kept = kept(0);
        for (second, due) in [(0, false), (299, false), (300, true), (9_999, true)] {
            assert_eq!(kept.due(at(second)), due, "after {second} s");
        }
        kept.took("new", at(300));
        assert_eq!(kept.value(at(301)).as_deref(), Some(&"new"));
        assert!(!kept.due(at(599)) && kept.due(at(600)));
    }

    #[test]
    fn while_it_fails_the_last_one_holds_for_an_hour() {
        let mut kept = kept(0);
        kept.failed(at(300));
        for (second, value) in [(301, Some(&"old")), (3_599, Some(&"old")), (3_600, None)] {
            assert_eq!(kept.value(at(second)).as_deref(), value, "after {second} s");
        }
    }

    #[test]
    fn a_failure_is_tried_again_after_half_a_minute_and_forgotten_with_the_next_success() {
        let mut kept = kept(0);
        kept.failed(at(300));
        assert!(!kept.due(at(329)) && kept.due(at(330)));
        kept.took("new", at(330));
        assert!(!kept.due(at(400)));
    }

    #[test]
    fn a_clock_that_went_back_makes_it_due() {
        let kept = kept(100);
        assert!(kept.due(at(99)));
        assert_eq!(kept.value(at(99)).as_deref(), Some(&"old"));
    }
}
