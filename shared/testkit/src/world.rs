//! A world that a driver holds still: every port call waits at a gate until the driver lets it pass, fail, see an old
//! version, or never return. One thread, no clock, no runtime; the same decisions make the same run.
//!
//! Tasks are futures over [`Faulty`] ports. [`Driver::spawn`] runs one up to its first port call;
//! [`Driver::waiting`] lists the calls that wait; [`Driver::resume`] decides one of them and runs its task up to the
//! next; [`Driver::crash`] is the end of a process between two calls.

mod call;
mod chances;
mod driver;
mod faulty;
mod gate;

pub use call::{Call, Port, Verb};
pub use chances::Chances;
pub use driver::{Done, Driver, Progress};
pub use faulty::{Faulty, Injected, gated};
pub use gate::{Decision, Gate, TaskId, Ticket, Waiting};
