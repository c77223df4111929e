//! The policy's window is open, where it is in one zone for all; in the devices' own zones each device waits by itself.

use jiff::tz::TimeZone;

use super::{Facts, Verdict};
use crate::swap_time::{SwapTime, swap_time};
use crate::window::WindowZone;

pub(super) fn check(facts: &Facts<'_>) -> Verdict {
    let Some(window) = &facts.policy.window else { return Verdict::Pass };
    let WindowZone::Named(name) = window.zone() else { return Verdict::Pass };
    match swap_time(facts.policy, None, facts.now) {
        SwapTime::Open(_) => Verdict::Pass,
        SwapTime::Closed(Some(opens_at)) => {
            let zone = window.zone_for(None).zone().unwrap_or(TimeZone::UTC);
            let local = opens_at.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M").to_string();
            Verdict::Wait { why: format!("window opens at {local} {}", name.as_str()), until: Some(opens_at) }
        }
        SwapTime::Closed(None) | SwapTime::NoZone => Verdict::wait("the policy's window does not open any more"),
    }
}
