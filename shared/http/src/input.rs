//! From a request to typed values; whatever does not fit becomes a problem that names the field.

mod body;
mod json;
mod mistakes;
mod path;
mod query;
mod reason;
mod strict;

pub(crate) use body::{DeviceBody, OperatorBody, OptionalBody, SetBody};
pub(crate) use mistakes::Mistakes;
pub(crate) use path::{DeviceId, PolicyIdPath, RolloutIdPath};
pub(crate) use query::{Cursor, DeviceText, Flag, ImageText, Limit, Params, TagTexts, one_of, parameter};
pub(crate) use reason::reason;
pub(crate) use strict::fields;
