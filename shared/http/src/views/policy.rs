//! A policy: the domain reads and shows it; here it is described.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use tidegate_domain::fields::FieldError;
use tidegate_domain::policy::{PolicyDefaults, PolicyView, SourcedValue, WrittenPolicy, sources};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::health_check::{HealthCheckBody, HealthCheckSchema};
use crate::problem::WrongField;
use crate::schemas::forms::{IntoSchema, Share, StagedBatches, described, or_null, plain, text, time, whole};
use crate::schemas::words::{ValueSource, Weekday};

/// A policy, as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct PolicyAnswer {
    #[serde(flatten)]
    view: PolicyView,
    effective: BTreeMap<String, SourcedValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<FieldError>,
}

impl PolicyAnswer {
    /// With what the stack says now.
    pub(crate) fn new(policy: &WrittenPolicy, defaults: &PolicyDefaults) -> Self {
        let effective = policy.effective(defaults);
        let sources = sources(policy, &effective);
        Self { view: PolicyView::from(&effective.policy), effective: sources, mistakes: effective.mistakes }
    }
}

/// A policy, as an operator writes it. Only its description: the domain reads it, to tell all mistakes at once.
#[derive(Debug)]
pub(crate) struct PolicyBody;

/// What a field takes.
#[derive(Clone, Copy)]
enum Takes {
    Text(usize),
    Form(&'static str, &'static str),
    Word(&'static str),
    Whole(u32, u32),
    Revision,
    Truth,
    Time,
    Days,
    Tags,
    Check,
    Batches,
    Rate,
}

/// Whether a field stands in every answer, or only where there is something to say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Always,
    Sometimes,
}

use Told::{Always, Sometimes};

/// Longest time that a policy may name, in seconds and in hours.
const SECONDS_MAX: u32 = 30 * 24 * 3600;
const HOURS_MAX: u32 = 365 * 24;

const TIME_OF_DAY: &str = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$";
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

type Field = (&'static str, Takes, Told, &'static str);

/// The fields that are written and answered.
const FIELDS: [Field; 36] = [
    ("id", Takes::Text(64), Always, "The server's name for it; in a body it must be that of the path."),
    ("name", Takes::Text(100), Always, "The operator's name for it, unique."),
    (
        "image_pattern",
        Takes::Form("^\\S+$", "docker.io/owner/app:*"),
        Always,
        "Which pushed references it is about; `*` is any characters of a tag, or of one part of a name.",
    ),
    ("update_strategy", Takes::Word("Strategy"), Always, "How its rollouts go."),
    ("staged_batches", Takes::Batches, Always, "How far each batch reaches."),
    (
        "batch_delay_minutes",
        Takes::Whole(0, SECONDS_MAX / 60),
        Sometimes,
        "Wait between batches, where it is whole minutes.",
    ),
    (
        "batch_delay",
        Takes::Form(DURATION, "45s"),
        Sometimes,
        "Wait between batches with its unit; instead of the minutes.",
    ),
    ("soak_seconds", Takes::Whole(0, SECONDS_MAX), Always, "Wait after a batch's last healthy report."),
    ("health_check_enabled", Takes::Truth, Always, "Whether health checks are made."),
    (
        "health_check_timeout_seconds",
        Takes::Whole(1, SECONDS_MAX),
        Always,
        "From container start to verdict, all tries.",
    ),
    ("health_check", Takes::Check, Always, "The check."),
    (
        "healthy_for_seconds",
        Takes::Whole(0, SECONDS_MAX - 1),
        Always,
        "How long the check must hold; less than the time for all tries.",
    ),
    ("auto_rollback", Takes::Truth, Always, "Whether a device that fails goes back by itself."),
    ("rollback_timeout_seconds", Takes::Whole(1, SECONDS_MAX), Always, "How long a device may take to go back."),
    ("count_timeouts", Takes::Truth, Always, "Whether devices that went silent count in the failure rate."),
    ("max_failure_rate", Takes::Rate, Always, "Share of failures in a batch above which a rollout pauses."),
    ("max_consecutive_failures", Takes::Whole(1, u32::MAX), Always, "Failures in a row at which a rollout pauses."),
    ("maintenance_window_start", Takes::Form(TIME_OF_DAY, "02:00:00"), Sometimes, "When the window opens, local time."),
    ("maintenance_window_end", Takes::Form(TIME_OF_DAY, "05:00:00"), Sometimes, "When the window closes, local time."),
    ("timezone", Takes::Form("^\\S+$", "Europe/Berlin"), Sometimes, "The window's zone: an IANA name, or `device`."),
    (
        "fallback_timezone",
        Takes::Form("^\\S+$", "UTC"),
        Sometimes,
        "The zone of devices that report none, beside `device`.",
    ),
    ("days", Takes::Days, Sometimes, "Days on which the window opens; all, where none is named."),
    ("cutoff_minutes", Takes::Whole(0, 24 * 60), Sometimes, "Minutes before the window's end in which no swap starts."),
    ("not_before", Takes::Time, Sometimes, "The earliest start of its rollouts."),
    (
        "offline_grace_hours",
        Takes::Whole(0, HOURS_MAX),
        Always,
        "How long a device that was never offered holds its batch.",
    ),
    ("lock_grace_hours", Takes::Whole(0, HOURS_MAX), Always, "How long a locked device holds its batch."),
    ("approval_expiry_hours", Takes::Whole(1, HOURS_MAX), Always, "How long an approval is waited for."),
    ("min_approvals", Takes::Whole(1, 1), Always, "How many people must approve."),
    ("on_newer", Takes::Word("OnNewer"), Always, "What a newer image does to a live rollout."),
    ("on_failure", Takes::Word("OnFailure"), Always, "What an automatic stop does."),
    ("on_drift", Takes::Word("OnDrift"), Always, "What happens to a device that runs another image."),
    ("max_in_flight", Takes::Whole(1, u32::MAX), Sometimes, "How many devices may be swapping at once."),
    ("stall_seconds", Takes::Whole(1, SECONDS_MAX), Always, "Silence after which a device is given up."),
    (
        "total_seconds",
        Takes::Whole(1, SECONDS_MAX),
        Always,
        "Time after which a device is given up even if it reports progress.",
    ),
    ("fleet_id", Takes::Text(64), Sometimes, "The fleet whose devices it selects."),
    ("device_tags", Takes::Tags, Always, "Tags that a device must have, all of them."),
];

/// The fields that are answered only. A body may have them too, so that an answer can be sent back: they are passed over.
const TOLD: [Field; 4] = [
    ("created_at", Takes::Time, Always, "When it was first stored."),
    ("updated_at", Takes::Time, Always, "When this revision was stored."),
    ("origin", Takes::Word("PolicyOrigin"), Always, "Where it came from."),
    ("revision", Takes::Revision, Always, "Counts its changes, from 1."),
];

fn schema(takes: Takes, written: bool) -> RefOr<Schema> {
    match takes {
        Takes::Text(most) => text().min_length(Some(1)).max_length(Some(most)).into_schema(),
        Takes::Form(pattern, example) => {
            text().min_length(Some(1)).pattern(Some(pattern)).examples([example]).into_schema()
        }
        Takes::Word(name) => Ref::from_schema_name(name).into(),
        Takes::Whole(least, most) => whole(least, most).into_schema(),
        Takes::Revision => plain(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(1))
            .into_schema(),
        Takes::Truth => plain(Type::Boolean).into_schema(),
        Takes::Time => time().into_schema(),
        Takes::Tags => {
            let value = AdditionalProperties::RefOr(text().into_schema());
            plain(Type::Object)
                .additional_properties(Some(value))
                .examples([json!({"region": "us-east"})])
                .into_schema()
        }
        Takes::Batches => Ref::from_schema_name(StagedBatches::name()).into(),
        Takes::Rate if written => Ref::from_schema_name(Share::name()).into(),
        Takes::Rate => plain(Type::Number).minimum(Some(0)).maximum(Some(1)).into_schema(),
        Takes::Days => {
            let mut days = Array::new(Ref::from_schema_name(Weekday::name()));
            (days.min_items, days.examples) = (Some(1), vec![json!(["mon", "tue"])]);
            Schema::Array(days).into()
        }
        Takes::Check if written => Ref::from_schema_name(HealthCheckBody::name()).into(),
        Takes::Check => Ref::from_schema_name(HealthCheckSchema::name()).into(),
    }
}

fn answered(text_of: &str) -> RefOr<Schema> {
    let mut object = plain(Type::Object).description(Some(text_of));
    for (name, takes, told, text) in FIELDS.into_iter().chain(TOLD) {
        object = object.property(name, described(schema(takes, false), text));
        object = if told == Always { object.required(name) } else { object };
    }
    let value = described(ObjectBuilder::new().schema_type(SchemaType::AnyValue), "What holds.");
    let from = Ref::from_schema_name(ValueSource::name());
    let sourced =
        plain(Type::Object).property("value", value).property("from", from).required("value").required("from");
    let effective = plain(Type::Object).additional_properties(Some(sourced.into_schema()));
    let mistakes = Schema::Array(Array::new(Ref::from_schema_name(WrongField::name())));
    object
        .property("effective", described(effective, EFFECTIVE))
        .required("effective")
        .property("mistakes", described(RefOr::T(mistakes), MISTAKES))
        .into_schema()
}

const EFFECTIVE: &str = "Each value with its source, by the field's name; of a health check, by `health_check.` and the \
                         part's name. Sent back with an edited answer, it tells what was filled in and not written.";
const MISTAKES: &str = "What does not fit what the stack says now: the policy's next rollout will fail.";

fn written(text_of: &str) -> RefOr<Schema> {
    let mut object = plain(Type::Object).description(Some(text_of));
    for (name, takes, _, text) in FIELDS {
        let required = ["name", "image_pattern"].contains(&name);
        let field = described(schema(takes, true), text);
        object = object.property(name, if required { field } else { or_null(field) });
        object = if required { object.required(name) } else { object };
    }
    for name in TOLD.iter().map(|field| field.0).chain(["effective", "mistakes"]) {
        let passed_over = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        object = object.property(name, described(passed_over, "Passed over, so that an answer can be sent back."));
    }
    object = object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    object.examples([example()]).into_schema()
}

fn example() -> Value {
    json!({
        "name": "production-app",
        "image_pattern": "docker.io/iotistic/app:*",
        "fleet_id": "production",
        "update_strategy": "staged",
        "staged_batches": ["10%", "50%", "100%"],
        "batch_delay_minutes": 30,
        "health_check": {"type": "http", "endpoint": "http://localhost:8080/health"},
        "max_failure_rate": 0.2
    })
}

impl PartialSchema for PolicyAnswer {
    fn schema() -> RefOr<Schema> {
        answered(
            "A policy. Every value is effective: what its writer left out has been filled in from what the stack says now.",
        )
    }
}

impl ToSchema for PolicyAnswer {
    fn name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HealthCheckSchema::name().into_owned(), HealthCheckSchema::schema()));
        HealthCheckSchema::schemas(schemas);
    }
}

impl PartialSchema for PolicyBody {
    fn schema() -> RefOr<Schema> {
        written("A policy, as an operator writes it. What it leaves out, or says `null` of, is filled in.")
    }
}

impl ToSchema for PolicyBody {
    fn name() -> Cow<'static, str> {
        "PolicyBody".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HealthCheckBody::name().into_owned(), HealthCheckBody::schema()));
        HealthCheckBody::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use tidegate_domain::ids::PolicyId;
    use tidegate_domain::policy::{Origin, RawPolicy};

    use super::*;

    fn validated(body: &Value) -> Result<PolicyAnswer, String> {
        let (id, defaults) = (PolicyId::trusted("id"), PolicyDefaults::default());
        let policy = WrittenPolicy::new(body, &defaults, id, Timestamp::UNIX_EPOCH, Origin::Api);
        policy.map(|policy| PolicyAnswer::new(&policy, &defaults)).map_err(|errors| format!("{errors:?}"))
    }

    #[test]
    fn every_field_of_a_policy_is_described() {
        let described: BTreeSet<&str> = FIELDS.iter().map(|field| field.0).collect();
        assert_eq!(described, RawPolicy::FIELDS.iter().copied().collect());
    }

    #[test]
    fn what_is_always_answered_is_there_and_nothing_is_that_is_not_described() {
        let least = validated(&json!({"name": "a", "image_pattern": "docker.io/o/a"})).unwrap();
        let told = serde_json::to_value(least).unwrap();
        let told: BTreeSet<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        let fields = || FIELDS.into_iter().chain(TOLD);
        let always: BTreeSet<&str> = fields().filter(|field| field.2 == Always).map(|field| field.0).collect();
        let all: BTreeSet<&str> = fields().map(|field| field.0).chain(["effective", "mistakes"]).collect();
        assert!(always.is_subset(&told), "{:?}", always.difference(&told));
        assert!(told.is_subset(&all), "{:?}", told.difference(&all));
    }

    #[test]
    fn the_bounds_are_those_that_are_checked() {
        let around = json!({
            "name": "a", "image_pattern": "docker.io/o/a", "healthy_for_seconds": 0,
            "health_check_timeout_seconds": SECONDS_MAX, "maintenance_window_start": "02:00", "maintenance_window_end": "01:59",
        });
        let with = |name: &str, value: i64| {
            let mut body = around.clone();
            body[name] = value.into();
            validated(&body)
        };
        for (name, takes, ..) in FIELDS {
            let Takes::Whole(least, most) = takes else { continue };
            let (least, most) = (i64::from(least), i64::from(most));
            if name == "cutoff_minutes" {
                // How much is too much, the window's length says.
                assert!(with(name, most).is_err(), "{name}");
                continue;
            }
            for (value, fits) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                // The shortest time for a check leaves none to be healthy in.
                assert_eq!(with(name, value).is_ok(), fits, "{name} {value}: {:?}", with(name, value).err());
            }
        }
    }

    #[test]
    fn the_example_is_a_policy() {
        validated(&example()).unwrap();
    }
}
