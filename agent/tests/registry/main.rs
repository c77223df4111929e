//! The agent's registry client and its relay against a real registry (CNCF distribution, Debian's `docker-registry`),
//! and against made-up ones for what that never does.
//!
//! Where the program is missing its tests say so and count as skipped, unless `CI=true`.

mod hostile;
mod look;
mod made_up;
mod proxy;
mod pull;
mod push;
#[path = "../../../tests/tests/registry/real.rs"]
mod real;
mod relay;
mod setup;
mod tokens;
