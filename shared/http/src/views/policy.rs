//! A policy: the domain reads and shows it; here it is described.

use std::borrow::Cow;

use serde::Serialize;
use tidegate_domain::policy::{Policy, PolicyView};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::target::HealthCheckSchema;

/// A policy, as it is answered.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct PolicyAnswer(PolicyView);

impl From<&Policy> for PolicyAnswer {
    fn from(policy: &Policy) -> Self {
        Self(policy.into())
    }
}

/// A policy, as an operator writes it. Only its description: the domain reads it, to tell all mistakes at once.
pub(crate) struct PolicyBody;

/// What a field takes.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Word(&'static [&'static str]),
    Whole,
    Number,
    Truth,
    Time,
    Texts,
    Tags,
    Check,
    Batches,
    Rate,
}

/// The fields that are written and answered.
const FIELDS: [(&str, Takes, &str); 34] = [
    ("id", Takes::Text, "The server's name for it; in a body it must be that of the path."),
    ("name", Takes::Text, "The operator's name for it, unique."),
    ("image_pattern", Takes::Text, "Which pushed references it is about, such as `docker.io/owner/app:*`."),
    ("update_strategy", Takes::Word(&["auto", "staged", "manual", "scheduled"]), "How its rollouts go."),
    ("staged_batches", Takes::Batches, "A count of batches, or a list of cumulative percentages and device numbers."),
    ("batch_delay_minutes", Takes::Whole, "Wait between batches, where it is whole minutes."),
    ("batch_delay", Takes::Text, "Wait between batches with its unit, such as `45s`; instead of the minutes."),
    ("soak_seconds", Takes::Whole, "Wait after a batch's last healthy report."),
    ("health_check_enabled", Takes::Truth, "Whether health checks are made."),
    ("health_check_timeout_seconds", Takes::Whole, "From container start to verdict, all tries."),
    ("health_check", Takes::Check, "The check."),
    ("healthy_for_seconds", Takes::Whole, "How long the check must hold."),
    ("auto_rollback", Takes::Truth, "Whether a device that fails goes back by itself."),
    ("rollback_timeout_seconds", Takes::Whole, "How long a device may take to go back."),
    ("count_timeouts", Takes::Truth, "Whether devices that went silent count in the failure rate."),
    ("max_failure_rate", Takes::Rate, "Share of failures in a batch above which a rollout pauses, from 0 to 1."),
    ("max_consecutive_failures", Takes::Whole, "Failures in a row at which a rollout pauses."),
    ("maintenance_window_start", Takes::Text, "When the window opens, local time, such as `02:00:00`."),
    ("maintenance_window_end", Takes::Text, "When the window closes, local time."),
    ("timezone", Takes::Text, "The window's zone: an IANA name, or `device`."),
    ("fallback_timezone", Takes::Text, "The zone of devices that report none, beside `device`."),
    ("days", Takes::Texts, "Days on which the window opens, such as `[\"mon\", \"tue\"]`."),
    ("cutoff_minutes", Takes::Whole, "Minutes before the window's end in which no swap starts."),
    ("offline_grace_hours", Takes::Whole, "How long a device that was never offered holds its batch."),
    ("lock_grace_hours", Takes::Whole, "How long a locked device holds its batch."),
    ("approval_expiry_hours", Takes::Whole, "How long an approval is waited for."),
    ("min_approvals", Takes::Whole, "How many people must approve; 1."),
    ("on_newer", Takes::Word(&["supersede", "queue", "ignore"]), "What a newer image does to a live rollout."),
    ("on_failure", Takes::Word(&["pause", "rollback_all"]), "What an automatic stop does."),
    ("on_drift", Takes::Word(&["converge", "adopt", "hold"]), "What happens to a device that runs another image."),
    ("max_in_flight", Takes::Whole, "How many devices may be swapping at once."),
    ("stall_seconds", Takes::Whole, "Silence after which a device is given up."),
    ("total_seconds", Takes::Whole, "Time after which a device is given up even if it reports progress."),
    ("fleet_id", Takes::Text, "The fleet whose devices it selects."),
];

const TAGS: (&str, Takes, &str) = ("device_tags", Takes::Tags, "Tags that a device must have, all of them.");

/// The fields that are answered only; in a body they are passed over.
const TOLD: [(&str, Takes, &str); 4] = [
    ("created_at", Takes::Time, "When it was first stored."),
    ("updated_at", Takes::Time, "When this revision was stored."),
    ("origin", Takes::Word(&["file", "api"]), "Where it came from."),
    ("revision", Takes::Number, "Counts its changes, from 1."),
];

fn plain(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

fn field(takes: Takes, text: &str) -> RefOr<Schema> {
    let object: Object = match takes {
        Takes::Text => plain(Type::String).build(),
        Takes::Word(words) => plain(Type::String).enum_values(Some(words.iter().copied())).build(),
        Takes::Whole | Takes::Number => plain(Type::Integer).minimum(Some(0)).build(),
        Takes::Truth => plain(Type::Boolean).build(),
        Takes::Time => plain(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build(),
        Takes::Tags => {
            let text = AdditionalProperties::RefOr(RefOr::T(Schema::Object(plain(Type::String).build())));
            plain(Type::Object).additional_properties(Some(text)).build()
        }
        Takes::Batches => ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Integer, Type::Array]))
            .examples([serde_json::json!(3), serde_json::json!(["10%", "50%", "100%"]), serde_json::json!([1, "100%"])])
            .build(),
        Takes::Rate => ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Number, Type::String]))
            .examples([serde_json::json!(0.2), serde_json::json!("20%")])
            .build(),
        Takes::Texts => {
            let mut array = Array::new(plain(Type::String).build());
            array.description = Some(text.to_owned());
            return Schema::Array(array).into();
        }
        Takes::Check => return Ref::from_schema_name(HealthCheckSchema::name()).into(),
    };
    let mut object = object;
    object.description = Some(text.to_owned());
    Schema::Object(object).into()
}

fn described(text: &str, told: bool) -> RefOr<Schema> {
    let fields = FIELDS.iter().chain([&TAGS]).chain(TOLD.iter().filter(|_| told));
    let mut object = plain(Type::Object).description(Some(text));
    for (name, takes, text) in fields {
        object = object.property(*name, field(*takes, text));
    }
    let required: &[&str] = if told { &["id", "revision"] } else { &[] };
    for name in ["name", "image_pattern"].iter().chain(required) {
        object = object.required(*name);
    }
    Schema::Object(object.build()).into()
}

impl PartialSchema for PolicyAnswer {
    fn schema() -> RefOr<Schema> {
        described("A policy. Every value is effective: what its writer left out has been filled in.", true)
    }
}

impl ToSchema for PolicyAnswer {
    fn name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HealthCheckSchema::name().into_owned(), HealthCheckSchema::schema()));
    }
}

impl PartialSchema for PolicyBody {
    fn schema() -> RefOr<Schema> {
        described("A policy, as an operator writes it. What it leaves out is filled in.", false)
    }
}

impl ToSchema for PolicyBody {
    fn name() -> Cow<'static, str> {
        "PolicyBody".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HealthCheckSchema::name().into_owned(), HealthCheckSchema::schema()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tidegate_domain::policy::RawPolicy;

    use super::*;

    #[test]
    fn every_field_of_a_policy_is_described() {
        let described: BTreeSet<&str> = FIELDS.iter().chain([&TAGS]).map(|(name, _, _)| *name).collect();
        assert_eq!(described, RawPolicy::FIELDS.iter().copied().collect());
    }
}
