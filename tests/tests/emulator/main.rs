//! End to end: `infra/template.yaml` deployed on the emulator of AWS, the functions as its processes, devices over HTTP.
//!
//! `TIDEGATE_E2E=1 cargo test -p tidegate-tests --test emulator` brings up a stack of its own (see [`stack`]); all cases
//! share it and run side by side, so what one case breaks on purpose (`faults` kills functions) the others live through.

mod approval;
mod bad_image;
mod client;
mod commands;
mod doors;
mod envelopes;
mod faults;
mod fleet;
mod harm;
mod judge;
mod main_path;
#[path = "../registry/push.rs"]
#[expect(dead_code, reason = "shared with the registry's own tests, which push more kinds")]
mod push;
mod queues;
#[path = "../registry/real.rs"]
#[expect(dead_code, reason = "shared with the registry's own tests, some of which log in")]
mod real;
mod real_registry;
mod rotation;
mod scene;
mod soak;
mod stack;
