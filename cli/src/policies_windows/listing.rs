//! The windows of one policy from an instant on, for people and for programs.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidegate_domain::window::{ClockChange, Days, Interval, Window, WindowZone, ZoneName, time_of_day};

/// Local date and time with its weekday and offset.
const LOCAL: &str = "%a %Y-%m-%d %H:%M:%S %:z";

/// Local time of a day that is clear from its surroundings.
const LOCAL_TIME: &str = "%a %H:%M:%S %:z";

/// Windows of a policy, read in one zone.
pub(super) struct Listing<'a> {
    policy: &'a str,
    window: &'a Window,
    zone: TimeZone,
    /// What `--timezone` said.
    device_zone: Option<&'a ZoneName>,
    from: Timestamp,
    intervals: Vec<Interval>,
}

impl<'a> Listing<'a> {
    /// The first `count` windows that close after `from`.
    pub(super) fn new(
        policy: &'a str,
        window: &'a Window,
        device_zone: Option<&'a ZoneName>,
        from: Timestamp,
        count: usize,
    ) -> Self {
        let zone = window.zone_for(device_zone.map(ZoneName::as_str)).zone().unwrap_or(TimeZone::UTC);
        let intervals = window.intervals(&zone, from).take(count).collect();
        Self { policy, window, zone, device_zone, from, intervals }
    }

    /// `[{"opens_at", "closes_at"}]` in UTC.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.intervals)
    }

    /// For whom these windows are, where that is not the same for all devices or not what was asked for.
    pub(super) fn note(&self) -> Option<String> {
        match (self.window.zone(), self.device_zone) {
            (WindowZone::Named(_), None) => None,
            (WindowZone::Named(named), Some(asked)) => {
                Some(format!("The policy is in {named} for all devices; --timezone {asked} changes nothing."))
            }
            (WindowZone::Device { .. }, Some(asked)) => Some(format!("For devices that report the zone {asked}.")),
            (WindowZone::Device { fallback: None }, None) => Some(
                "The policy counts in each device's own zone, and names no fallback: devices that told none wait until \
                 they tell one. These windows are in UTC; --timezone lists those of another zone."
                    .to_owned(),
            ),
            (WindowZone::Device { fallback: Some(fallback) }, None) => Some(format!(
                "The policy counts in each device's own zone. These windows are in its fallback zone {fallback}, for \
                 devices that report none; --timezone lists those of another zone."
            )),
        }
    }

    fn local(&self, at: Timestamp, format: &str) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime(format).to_string()
    }

    fn fmt_interval(&self, f: &mut fmt::Formatter<'_>, number: usize, interval: &Interval) -> fmt::Result {
        let Interval { opens_at, closes_at } = *interval;
        let (opens, closes) = (self.local(opens_at, LOCAL), self.local(closes_at, LOCAL));
        write!(f, "{number:>3}. {opens} to {closes}")?;
        let last_start = self.window.last_start(interval);
        if opens_at <= last_start {
            write!(f, ", last start {}", self.local(last_start, LOCAL_TIME))?;
        }
        writeln!(f)?;
        writeln!(f, "     UTC {opens_at} to {closes_at}")?;
        if interval.contains(self.from) {
            writeln!(f, "     Open at {:.0}.", self.from)?;
        }
        for change in self.window.clock_changes(&self.zone, interval) {
            writeln!(f, "     {}", remark(self.window, change))?;
        }
        Ok(())
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (time_of_day::format(self.window.start()), time_of_day::format(self.window.end()));
        let next_day = if self.window.crosses_midnight() { " of the next day" } else { "" };
        let days = match self.window.days() {
            Days::EVERY => "every day".to_owned(),
            days => days.names().collect::<Vec<_>>().join(", "),
        };
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let cutoff = self.window.cutoff_minutes();
        writeln!(f, "{}: {start} to {end}{next_day}, {days}, in {zone}.", self.policy)?;
        writeln!(f, "No swap starts in the last {cutoff} minutes of a window.")?;
        if let Some(note) = self.note() {
            writeln!(f, "{note}")?;
        }
        if self.intervals.is_empty() {
            writeln!(f, "No window closes after {:.0}.", self.from)?;
        }
        for (number, interval) in (1..).zip(&self.intervals) {
            self.fmt_interval(f, number, interval)?;
        }
        Ok(())
    }
}

/// A clock change in words.
fn remark(window: &Window, change: ClockChange) -> String {
    let (start, end) = (time_of_day::format(window.start()), time_of_day::format(window.end()));
    match change {
        ClockChange::Swallowed => {
            format!("The clock skips {start} to {end}: the window runs its stated length from the jump on.")
        }
        ClockChange::StartSkipped => format!("The clock skips {start}: the window opens at the jump."),
        ClockChange::EndSkipped => format!("The clock skips {end}: the window closes at the jump."),
        ClockChange::StartTwice => format!("The clock shows {start} twice: the window opens at the first."),
        ClockChange::EndTwice => format!("The clock shows {end} twice: the window closes at the first."),
        ClockChange::Longer(by) => format!("Clocks change: it is open {by:#} longer than stated."),
        ClockChange::Shorter(by) => format!("Clocks change: it is open {by:#} shorter than stated."),
        ClockChange::ShorterThanCutoff => "It is shorter than the cutoff: no swap starts in it.".to_owned(),
    }
}
