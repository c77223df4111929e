//! The words of the contract, each list a schema of its own: taken from the domain's enums, never written down again.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor, value};
use serde::forward_to_deserialize_any;
use tidegate_domain::assignment::Reason;
use tidegate_domain::counts::ROW_STATUSES;
use tidegate_domain::event::{DeviceEvent, ImageEvent};
use tidegate_domain::health::Place;
use tidegate_domain::policy;
use tidegate_domain::report::Verdict;
use tidegate_domain::rollout::{Status, Trigger};
use tidegate_domain::strategy::{self, Gate, Phase};
use tidegate_domain::target::Action;
use tidegate_domain::window::Days;
use tidegate_engine::policies::Change;
use tidegate_engine::queries;
use tidegate_engine::webhook::DeliveryOutcome;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Why a report is passed over before anything of it is looked up: it cannot be read, or its event is none that we know.
pub(crate) const UNREAD_REASONS: [&str; 2] = ["unreadable", "unknown_event"];

/// What is said of every list whose words are answered: a later version may have more.
const MAY_GROW: &str = "More words may be added; a client that meets one it does not know shows it as it is.";

/// Schemas of words. Each is a type that stands for its schema alone.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident, $grows:expr, $words:expr;)+) => {
        $(
            $(#[doc = $doc])+
            pub(crate) enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    schema(concat!($($doc),+).trim(), $grows, $words)
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )+

        /// All of them, by name.
        pub(crate) fn schemas() -> impl Iterator<Item = (String, RefOr<Schema>)> {
            [$((stringify!($name).to_owned(), <$name as PartialSchema>::schema())),+].into_iter()
        }
    };
}

words! {
    /// Where a rollout stands.
    RolloutStatus, true, Status::ALL.map(Status::name).into();
    /// What set a rollout off.
    TriggeredBy, true, named(&every::<Trigger>());
    /// How a policy's rollouts go.
    Strategy, true, policy::Strategy::ALL.iter().map(|word| word.as_str()).collect();
    /// A safeguard of a policy that a trigger can pass over.
    PolicySafeguard, true, policy::Safeguard::ALL.map(policy::Safeguard::name).into();
    /// What a newer image does to a live rollout.
    OnNewer, true, policy::OnNewer::ALL.iter().map(|word| word.as_str()).collect();
    /// What an automatic stop does.
    OnFailure, true, policy::OnFailure::ALL.iter().map(|word| word.as_str()).collect();
    /// What happens to a device that runs another image than it should.
    OnDrift, true, policy::OnDrift::ALL.iter().map(|word| word.as_str()).collect();
    /// Where a policy came from: `file` is policies.yaml.
    PolicyOrigin, true, policy::Origin::ALL.iter().map(|word| word.as_str()).collect();
    /// What becomes of a policy of a set.
    PolicyChange, true, Change::ALL.map(Change::name).into();
    /// Whose value it is: the policy says so, a parameter of the stack, or nobody says otherwise.
    ValueSource, true, named(&[policy::Source::Policy, policy::Source::Stack, policy::Source::BuiltIn]);
    /// A day on which a maintenance window opens.
    Weekday, false, Days::default().names().collect();
    /// Where a device stands in a rollout.
    DeviceRolloutStatus, true, row_statuses();
    /// Why a device stands there.
    DeviceRolloutReason, true, reasons();
    /// Over all images of a device, the first of these that one is.
    DeviceStatus, true, queries::DeviceStatus::ALL.map(queries::DeviceStatus::name).into();
    /// What happened to a rollout, or on one of its devices.
    EventName, true, events();
    /// What a device can tell of its work.
    DeviceEventName, true, told_by_devices();
    /// Why a report was not taken.
    IgnoredReportReason, true, ignored_reports();
    /// What became of an image under one policy.
    DeliveryStatus, true, DeliveryOutcome::STATUSES.into();
    /// Which way a service is to move.
    MoveAction, true, named(&every::<Action>());
    /// How far it may go now. `download`: fetch and wait, replace nothing. `swap`: may replace now, after one more GET just before.
    MovePhase, true, named(&every::<Phase>());
    /// What must hold before a rollout's next stage opens.
    GateKind, true, Gate::NAMES.into();
    /// What a gate says: it holds nothing up, not yet, the rollout must not go on, nothing is proven, or the rollout does not stand before it.
    GateState, true, strategy::GateState::ALL.map(strategy::GateState::as_str).into();
    /// Where a check's command runs.
    CheckPlace, false, named(&every::<Place>());
}

fn schema(text: &str, grows: bool, words: Vec<impl Into<serde_json::Value>>) -> RefOr<Schema> {
    let text = if grows { format!("{text} {MAY_GROW}") } else { text.to_owned() };
    let object = ObjectBuilder::new().schema_type(Type::String).description(Some(text)).enum_values(Some(words));
    Schema::Object(object.build()).into()
}

/// The statuses of a row, as they are shown.
pub(crate) fn row_statuses() -> Vec<&'static str> {
    ROW_STATUSES.into()
}

fn reasons() -> Vec<String> {
    every::<Reason>().iter().map(|reason| reason.name().to_owned()).collect()
}

fn events() -> Vec<&'static str> {
    let of_rollouts = ImageEvent::ALL.iter().map(|event| event.name());
    of_rollouts.chain(DeviceEvent::ALL.iter().map(|event| event.name())).collect()
}

fn told_by_devices() -> Vec<&'static str> {
    DeviceEvent::ALL.iter().filter(|event| event.told_by_devices()).map(|event| event.name()).collect()
}

fn ignored_reports() -> Vec<&'static str> {
    every::<Verdict>().into_iter().filter_map(Verdict::reason).chain(UNREAD_REASONS).collect()
}

/// The words under which values are sent.
fn named<T: serde::Serialize>(values: &[T]) -> Vec<serde_json::Value> {
    values.iter().filter_map(|value| serde_json::to_value(value).ok()).collect()
}

/// Every value of an enum without data, as serde knows them, in the order of its declaration.
fn every<T: DeserializeOwned>() -> Vec<T> {
    let names = match T::deserialize(Names) {
        Err(Found(names)) => names,
        Ok(_) => &[],
    };
    let value = |name: &&'static str| T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(*name)).ok();
    names.iter().filter_map(value).collect()
}

/// Asked for an enum, it answers with the names that it was asked with.
struct Names;

#[derive(Debug)]
struct Found(&'static [&'static str]);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Found {}

impl serde::de::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for Names {
    type Error = Found;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Found> {
        Err(Found(variants))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_the_domains_words() {
        assert_eq!(every::<Status>(), Status::ALL);
        assert!(reasons().contains(&"rollback_all".to_owned()) && reasons().len() > 10);
        assert_eq!(named(&every::<Phase>()), ["download", "swap"]);
        assert!(ignored_reports().contains(&"not_assigned") && !ignored_reports().contains(&"accepted"));
        for (name, schema) in schemas() {
            let RefOr::T(Schema::Object(schema)) = schema else { panic!("{name}") };
            assert!(schema.enum_values.is_some_and(|words| words.len() > 1), "{name}");
        }
    }
}
