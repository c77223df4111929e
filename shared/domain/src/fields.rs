//! What operators write, read field by field: every mistake is told, with a pointer to it.

mod error;
mod reader;

pub use error::FieldError;
pub(crate) use reader::{Reading, raw_object, unknown};
