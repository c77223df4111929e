//! From a request to typed values; whatever does not fit becomes a problem that names the field.

mod body;
mod path;
mod query;
mod reason;

pub(crate) use body::{DeviceBody, OperatorBody, OptionalBody, SetBody, fields};
pub(crate) use path::{DeviceId, PolicyIdPath, RolloutIdPath};
pub(crate) use query::{Cursor, DeviceText, Flag, ImageText, Limit, Params, StatusText, TagTexts};
pub(crate) use reason::reason;
