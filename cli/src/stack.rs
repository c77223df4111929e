//! The local stack: the emulator of AWS, the functions, and `infra/template.yaml` deployed on it.
//!
//! [`up`] makes it, [`down`] removes it, [`status`] says what is there. Everything that it keeps is in `.tidegate/` of
//! the checkout; everything that it starts listens on the loopback address only.

mod access;
mod build;
mod deploy;
mod down;
mod emulator;
mod logs;
mod parameters;
mod process;
mod project;
mod script;
mod status;
mod template;
mod up;
mod venv;

pub(crate) use access::{Access, token_hash};
pub(crate) use build::{FUNCTIONS, agent};
pub(crate) use down::{DownOptions, down};
pub(crate) use logs::{Line, Logs};
pub(crate) use project::{Project, write_private};
pub(crate) use status::{Status, status};
pub(crate) use up::{UpOptions, up};
