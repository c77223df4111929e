//! May a swap start now?

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Interval, Window};

/// What a window says about a swap at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "window", rename_all = "snake_case")]
pub enum WindowAnswer {
    /// A swap may start.
    Open {
        /// End of the window.
        closes_at: Timestamp,
        /// Last instant at which a swap may start: the end less the cutoff.
        last_start: Timestamp,
    },
    /// The window is open and so near its end that no swap starts any more.
    PastCutoff {
        /// End of the window.
        closes_at: Timestamp,
        /// The window after this one.
        next: Option<Interval>,
    },
    /// Outside of the window.
    Closed {
        /// The next window.
        next: Option<Interval>,
    },
}

impl WindowAnswer {
    /// When it is worth to ask again: now if open, else when the next window opens.
    pub fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Open { .. } => Some(at),
            Self::PastCutoff { next, .. } | Self::Closed { next } => next.map(|interval| interval.opens_at),
        }
    }
}

impl Window {
    /// Last instant at which a swap may start in `interval`. It lies before the opening where a clock change has made
    /// the interval shorter than the cutoff: then none starts in it.
    pub fn last_start(&self, interval: &Interval) -> Timestamp {
        // Saturates at the ends of the calendar alone.
        interval.closes_at.checked_sub(self.cutoff()).unwrap_or(Timestamp::MIN)
    }

    /// Whether a swap may start at `at`, read in `zone`.
    pub fn answer(&self, zone: &TimeZone, at: Timestamp) -> WindowAnswer {
        let Some(first) = self.next(zone, at) else { return WindowAnswer::Closed { next: None } };
        if !first.contains(at) {
            return WindowAnswer::Closed { next: Some(first) };
        }
        let (closes_at, last_start) = (first.closes_at, self.last_start(&first));
        if at <= last_start {
            return WindowAnswer::Open { closes_at, last_start };
        }
        WindowAnswer::PastCutoff { closes_at, next: self.next(zone, closes_at) }
    }
}
