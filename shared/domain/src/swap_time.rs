//! When a swap may start on a device.

use jiff::Timestamp;

use crate::policy::Policy;
use crate::window::WindowAnswer;

/// Whether a swap may start on a device now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapTime {
    /// Yes; where there is a window, it opened then.
    Open(Option<Timestamp>),
    /// Not before then; `None` is never.
    Closed(Option<Timestamp>),
    /// Not before the device tells its time zone: the window is in the device's own, and the policy names no fallback.
    NoZone,
}

/// Whether the policy's window, read in the device's zone where the policy says so, lets a swap start.
pub fn swap_time(policy: &Policy, device_zone: Option<&str>, now: Timestamp) -> SwapTime {
    let Some(window) = &policy.window else { return SwapTime::Open(None) };
    let Some(zone) = window.zone_for(device_zone).zone() else { return SwapTime::NoZone };
    let answer = window.answer(&zone, now);
    match answer {
        WindowAnswer::Open { .. } => SwapTime::Open(window.next(&zone, now).map(|interval| interval.opens_at)),
        WindowAnswer::PastCutoff { .. } | WindowAnswer::Closed { .. } => SwapTime::Closed(answer.next_start(now)),
    }
}
