//! Arguments that several commands take, and how each is read: what is wrong is told before anything is called.

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser as _};
use tidegate_domain::device_tag;
use tidegate_domain::event::{DeviceEvent, ImageEvent};
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::rollout::Status;

/// The variables that say which stack is called, for the help of every command that calls one.
const ENVIRONMENT: &str = "\
Environment:
  TIDEGATE_URL               The stack's address, stage included; without it, the stack that tidegate up left here
  TIDEGATE_OPERATOR_TOKEN    The operator's token, where TIDEGATE_URL is set
  TIDEGATE_PROVISIONING_KEY  The key that enrols devices, likewise
  TIDEGATE_WEBHOOK_SECRET    The secret of the registry's webhook, likewise
  TIDEGATE_STATE             The folder that tidegate up keeps its stack in [default: .tidegate]";

/// The variables that the local stack heeds.
const STACK_ENVIRONMENT: &str = "\
Environment:
  TIDEGATE_STATE    The folder that the stack is kept in [default: .tidegate]: a second stack beside the first
  AWS_ENDPOINT_URL  Another emulator of AWS, which runs already
  TIDEGATE_PYTHON   The Python that the emulator gets [default: the first in PATH that is new enough]";

/// Those of a demo: it brings a stack up.
const DEMO_ENVIRONMENT: &str = "\
Environment:
  TIDEGATE_STATE       The folder that the stack is kept in [default: .tidegate]: a second stack beside the first
  AWS_ENDPOINT_URL     Another emulator of AWS, which runs already
  TIDEGATE_PYTHON      The Python that the emulator gets [default: the first in PATH that is new enough]
  TIDEGATE_TEST_TOOLS  With --real: the folder that the engine and the registry are unpacked to
  TIDEGATE_DEMO_KEEP   With --real, set to anything: the logs stay";

/// Those of a command that looks at the local stack alone.
const STATE_ENVIRONMENT: &str = "\
Environment:
  TIDEGATE_STATE  The folder that tidegate up keeps its stack in [default: .tidegate]";

/// The variables that a command heeds, for its help; nothing of a command that nobody said it of.
pub(crate) fn heeded(command: &[&str]) -> Option<&'static str> {
    match command {
        ["up" | "down" | "status"] => Some(STACK_ENVIRONMENT),
        ["demo"] => Some(DEMO_ENVIRONMENT),
        ["logs"] => Some(STATE_ENVIRONMENT),
        ["policies", "windows"] | ["simulate-engine" | "capacity"] | ["bench", ..] => Some(""),
        ["push" | "simulate"] | ["policies" | "rollouts" | "devices" | "deliveries", ..] => Some(ENVIRONMENT),
        _ => None,
    }
}

/// A rollout's id, in either case of its letters.
pub(crate) fn rollout_id(text: &str) -> Result<RolloutId, String> {
    RolloutId::parse(&text.to_ascii_uppercase()).ok_or_else(|| {
        "expected a rollout's id: 26 digits and letters, such as 01JD8Z6Q3V5T9K2M4N6P8R0S2T; tidegate rollouts list \
         lists them"
            .to_owned()
    })
}

/// A device's uuid.
pub(crate) fn device_uuid(text: &str) -> Result<DeviceUuid, String> {
    DeviceUuid::parse(text)
        .ok_or_else(|| "expected a device's uuid, version 4 or 7; tidegate devices list lists them".to_owned())
}

/// A tag.
pub(crate) fn tag(text: &str) -> Result<(String, String), String> {
    device_tag::parse(text).map_err(|error| error.to_string())
}

/// `NAME=VALUE`, of what is no tag.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// How many, at least one.
pub(crate) fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// One of the rollouts' statuses.
pub(crate) fn rollout_status() -> PossibleValuesParser {
    PossibleValuesParser::new(Status::ALL.map(Status::name))
}

/// One of the statuses of a device in a rollout.
pub(crate) fn row_status() -> PossibleValuesParser {
    PossibleValuesParser::new(tidegate_domain::counts::ROW_STATUSES)
}

/// One of the events of a rollout.
pub(crate) fn event_name() -> impl clap::builder::TypedValueParser<Value = String> {
    let of_rollouts = ImageEvent::ALL.iter().map(|event| event.name());
    let of_devices = DeviceEvent::ALL.iter().map(|event| event.name());
    PossibleValuesParser::new(of_rollouts.chain(of_devices)).map(|name| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_never_reaches_a_path() {
        let id = "01JD8Z6Q3V5T9K2M4N6P8R0S2T";
        assert_eq!(rollout_id(id).unwrap().as_str(), id);
        assert_eq!(rollout_id(&id.to_lowercase()).unwrap().as_str(), id);
        for wrong in ["", "../devices", "..", ".", "%2e%2e/devices", "x?limit=1", "x#y", "a/b", &id[1..], "\u{1b}[2J"] {
            assert!(rollout_id(wrong).unwrap_err().starts_with("expected a rollout's id"), "{wrong:?}");
            assert!(device_uuid(wrong).is_err(), "{wrong:?}");
        }
    }
}
