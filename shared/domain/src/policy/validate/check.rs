//! The checks of single fields of a policy.

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive};

use jiff::Timestamp;
use serde_json::Value;

use super::strategy_fits;
use crate::fields::FieldError;
use crate::{
    device_tag,
    ids::PolicyId,
    policy::{
        Batches, HealthPolicy, ImagePattern, PolicyDefaults, Rate, RateError, RawPolicy, Selector, Strategy,
        timing::parse_duration,
    },
    text,
    window::{DEFAULT_CUTOFF_MINUTES, Days, Window, WindowZone, time_of_day},
};

/// Longest wait that a policy may name, in seconds: 30 days.
const LONGEST_SECONDS: u32 = 30 * 24 * 3600;

/// Longest grace that a policy may name, in hours: a year.
const LONGEST_HOURS: u32 = 365 * 24;

/// What stands for the policy of devices that none selects.
const DEFAULT_NAME: &str = "default";

/// Longest name, in characters.
const NAME_MAX: usize = 100;

/// How long a check must hold where the policy does not say, in seconds; half the time for all tries where that is
/// less, so that a short time alone never makes health impossible.
const HEALTHY_FOR_SECONDS: u32 = 60;

/// The mistakes so far. A method tells its field's and returns a value to go on with, which is used only if there are
/// none at the end.
pub(super) struct Check {
    pub(super) errors: Vec<FieldError>,
}

impl Check {
    /// Goes on from the mistakes of reading: a field that could not be read has its mistake already.
    pub(super) fn after(errors: Vec<FieldError>) -> Self {
        Self { errors }
    }

    fn tell(&mut self, name: &str, detail: impl Display) {
        self.push(FieldError::of("", name, detail.to_string()));
    }

    /// One mistake for a field is enough, and one in a field that is part of a wrong one would be hearsay.
    fn push(&mut self, error: FieldError) {
        let within = |told: &FieldError| {
            error.pointer.strip_prefix(&told.pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.errors.iter().any(within) {
            self.errors.push(error);
        }
    }

    /// Whether the field has a mistake, so that nothing follows from its value.
    fn wrong(&self, name: &str) -> bool {
        let pointer = FieldError::pointer_to("", name);
        self.errors.iter().any(|error| error.pointer == pointer)
    }

    /// The value, or the fallback and the error.
    fn or_tell<T, E: Display>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.tell(name, error)).ok()
    }

    pub(super) fn id(&mut self, given: Option<&str>, id: &PolicyId) {
        if given.is_some_and(|given| given != id.as_str()) {
            self.tell("id", "ids are given by the server and never change; leave it out");
        }
    }

    pub(super) fn name(&mut self, name: Option<&str>) -> Option<String> {
        if let Some(Err(unseen)) = name.map(text::name) {
            self.tell("name", unseen);
            return None;
        }
        let valid = |name: &&str| name.trim() == *name && (1..=NAME_MAX).contains(&name.chars().count());
        let found = name.filter(valid).map(str::to_owned);
        match &found {
            None => {
                let expected = format_args!("expected a name of 1 to {NAME_MAX} characters, with no space at its ends");
                self.tell("name", expected);
            }
            Some(name) if name == DEFAULT_NAME => {
                self.tell("name", "default is what devices follow that no policy selects; choose another name");
            }
            Some(_) => {}
        }
        found
    }

    pub(super) fn pattern(&mut self, text: Option<&str>, defaults: &PolicyDefaults) -> Option<ImagePattern> {
        let Some(text) = text else {
            self.tell("image_pattern", "expected a pattern such as docker.io/owner/app:*");
            return None;
        };
        let pattern = self.or_tell("image_pattern", ImagePattern::parse(text))?;
        let allowed = defaults.allowed_registries.as_ref();
        if let Some(Err(refusal)) = allowed.map(|allowed| allowed.allows_registry(pattern.registry())) {
            self.tell("image_pattern", refusal);
        }
        Some(pattern)
    }

    pub(super) fn strategy(&mut self, raw: &RawPolicy, defaults: &PolicyDefaults) -> Strategy {
        let given = raw.update_strategy.as_deref();
        let strategy = self.word("update_strategy", given, defaults.update_strategy, Strategy::parse, Strategy::ALL);
        let unread = self.wrong("maintenance_window_start") || self.wrong("maintenance_window_end");
        let has_window = raw.maintenance_window_start.is_some() || raw.maintenance_window_end.is_some() || unread;
        let told = given.is_some() || defaults.are_known();
        if let (Err(error), true) = (strategy_fits(strategy, has_window), told) {
            self.push(error);
        }
        strategy
    }

    pub(super) fn batches(&mut self, value: Option<&Value>, defaults: &PolicyDefaults) -> Batches {
        let given = value.and_then(|value| self.or_tell("staged_batches", Batches::from_json(value)));
        given.unwrap_or_else(|| defaults.staged_batches.clone())
    }

    pub(super) fn batch_delay(&mut self, raw: &RawPolicy, defaults: &PolicyDefaults) -> u32 {
        let delay = match (raw.batch_delay_minutes, raw.batch_delay.as_deref()) {
            (Some(_), Some(_)) => {
                self.tell("batch_delay", "expected batch_delay or batch_delay_minutes, got both");
                return defaults.batch_delay_seconds;
            }
            (Some(minutes), None) => Some(("batch_delay_minutes", minutes.checked_mul(60))),
            (None, Some(text)) => Some(("batch_delay", parse_duration(text))),
            (None, None) => None,
        };
        let Some((name, seconds)) = delay else { return defaults.batch_delay_seconds };
        match seconds {
            Some(seconds) if seconds <= LONGEST_SECONDS => seconds,
            Some(_) | None => {
                self.tell(name, "expected at most 30 days, in minutes or as a duration such as 45s, 30m or 1h30m");
                defaults.batch_delay_seconds
            }
        }
    }

    pub(super) fn health(&mut self, raw: &RawPolicy, defaults: &PolicyDefaults) -> HealthPolicy {
        let fallback = || defaults.health_check.check();
        let check = match raw.health_check.clone().map(|raw| raw.validate("/health_check", defaults.health_check)) {
            Some(Ok(check)) => check,
            Some(Err(found)) => {
                for error in found {
                    self.push(error);
                }
                fallback()
            }
            None => fallback(),
        };
        let timeout_seconds = raw.health_check_timeout_seconds.unwrap_or(defaults.health_check_timeout_seconds);
        let healthy_for_seconds = raw.healthy_for_seconds.unwrap_or(HEALTHY_FOR_SECONDS.min(timeout_seconds / 2));
        let told = raw.health_check_timeout_seconds.is_some() || defaults.are_known();
        let judged = told && !self.wrong("health_check_timeout_seconds");
        if judged && healthy_for_seconds >= timeout_seconds {
            self.tell(
                "healthy_for_seconds",
                format_args!(
                    "expected less than health_check_timeout_seconds ({timeout_seconds}), in which it must fit"
                ),
            );
        }
        let enabled = raw.health_check_enabled.unwrap_or(true);
        HealthPolicy { enabled, timeout_seconds, healthy_for_seconds, check }
    }

    pub(super) fn rate(&mut self, value: Option<&Value>, defaults: &PolicyDefaults) -> Rate {
        let rate = value.map(|value| match value {
            Value::Number(number) => number.as_f64().ok_or(RateError).and_then(Rate::from_number),
            Value::String(text) => Rate::from_percentage(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(RateError),
        });
        rate.and_then(|rate| self.or_tell("max_failure_rate", rate)).unwrap_or(defaults.max_failure_rate)
    }

    pub(super) fn window(&mut self, raw: &RawPolicy) -> Option<Window> {
        // What was written and is no time is there all the same: nothing is said to be missing.
        let mut time = |name: &str, text: Option<&String>| match text {
            Some(text) => Some(self.or_tell(name, time_of_day::parse(text))),
            None => self.wrong(name).then_some(None),
        };
        let start = time("maintenance_window_start", raw.maintenance_window_start.as_ref());
        let end = time("maintenance_window_end", raw.maintenance_window_end.as_ref());
        let zone = WindowZone::parse(raw.timezone.as_deref(), raw.fallback_timezone.as_deref());
        let zone = if self.wrong("timezone") { None } else { self.or_tell(zone_field(raw, zone.is_err()), zone) };
        let days = match raw.days.as_deref() {
            Some([]) => {
                self.tell("days", "expected at least one day such as [mon, tue]; leave it out for every day");
                None
            }
            Some(days) => self.or_tell("days", Days::parse(days)),
            None => Some(Days::default()),
        };
        match (start, end) {
            (Some(start), Some(end)) => {
                let cutoff = raw.cutoff_minutes.unwrap_or(DEFAULT_CUTOFF_MINUTES);
                let window = Window::new(start?, end?, zone?, days?, cutoff);
                self.or_tell("maintenance_window_end", window)
            }
            (Some(_), None) => {
                self.tell("maintenance_window_end", "expected beside maintenance_window_start");
                None
            }
            (None, Some(_)) => {
                self.tell("maintenance_window_start", "expected beside maintenance_window_end");
                None
            }
            (None, None) => {
                for (name, given) in [("days", raw.days.is_some()), ("cutoff_minutes", raw.cutoff_minutes.is_some())] {
                    if given {
                        self.tell(name, "means nothing without maintenance_window_start and maintenance_window_end");
                    }
                }
                None
            }
        }
    }

    /// Numbers whose only rule is their range.
    pub(super) fn ranges(&mut self, raw: &RawPolicy) {
        const SECONDS: RangeInclusive<u32> = 1..=LONGEST_SECONDS;
        const WAIT: RangeInclusive<u32> = 0..=LONGEST_SECONDS;
        const COUNT: RangeInclusive<u32> = 1..=u32::MAX;
        let fields = [
            ("soak_seconds", raw.soak_seconds, WAIT),
            ("health_check_timeout_seconds", raw.health_check_timeout_seconds, SECONDS),
            ("rollback_timeout_seconds", raw.rollback_timeout_seconds, SECONDS),
            ("max_consecutive_failures", raw.max_consecutive_failures, COUNT),
            ("offline_grace_hours", raw.offline_grace_hours, 0..=LONGEST_HOURS),
            ("lock_grace_hours", raw.lock_grace_hours, 0..=LONGEST_HOURS),
            ("approval_expiry_hours", raw.approval_expiry_hours, 1..=LONGEST_HOURS),
            ("max_in_flight", raw.max_in_flight, COUNT),
            ("stall_seconds", raw.stall_seconds, SECONDS),
            ("total_seconds", raw.total_seconds, SECONDS),
        ];
        for (name, given, range) in fields {
            if let Some(given) = given.filter(|given| !range.contains(given)) {
                let (least, most) = range.into_inner();
                self.tell(name, format_args!("expected a whole number from {least} to {most}, got {given}"));
            }
        }
    }

    /// A time with its offset.
    pub(super) fn time(&mut self, name: &str, given: Option<&str>) -> Option<Timestamp> {
        let parsed = given?.parse();
        if parsed.is_err() {
            self.tell(
                name,
                format_args!("expected a time with its offset, such as 2026-12-01T20:00:00Z, got {given:?}"),
            );
        }
        parsed.ok()
    }

    pub(super) fn approvers(&mut self, given: Option<u32>) {
        if given.is_some_and(|given| given != 1) {
            let reason =
                "expected 1: operator tokens carry no names, so that two approvals cannot be told to be two people's";
            self.tell("min_approvals", reason);
        }
    }

    pub(super) fn selector(
        &mut self,
        fleet_id: Option<String>,
        device_tags: Option<BTreeMap<String, String>>,
    ) -> Selector {
        let device_tags = device_tags.unwrap_or_default();
        if let Some(Err(error)) = fleet_id.as_deref().map(crate::fleet::check) {
            self.tell("fleet_id", format!("{error}; leave it out for every fleet"));
        }
        if let Some(Err(unseen)) = fleet_id.as_deref().map(text::name) {
            self.tell("fleet_id", unseen);
        }
        for (key, value) in &device_tags {
            if key.is_empty() || key.contains(device_tag::divides) {
                let detail = "expected a tag's name, without a colon or an equals sign";
                self.push(FieldError::of("/device_tags", key, detail));
            }
            if let Err(unseen) = text::name(key).and_then(|()| text::name(value)) {
                self.push(FieldError::of("/device_tags", key, unseen.to_string()));
            }
        }
        Selector { fleet_id, device_tags }
    }

    pub(super) fn word<T: Copy + Display>(
        &mut self,
        name: &str,
        given: Option<&str>,
        fallback: T,
        parse: fn(&str) -> Option<T>,
        all: &[T],
    ) -> T {
        let Some(text) = given else { return fallback };
        parse(text).unwrap_or_else(|| {
            let words: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.tell(name, format_args!("expected one of {}, got {text:?}", words.join(", ")));
            fallback
        })
    }
}

/// Which of the two zone fields an error is about.
fn zone_field(raw: &RawPolicy, failed: bool) -> &'static str {
    let named_alone = failed && WindowZone::parse(raw.timezone.as_deref(), None).is_ok();
    if named_alone { "fallback_timezone" } else { "timezone" }
}
