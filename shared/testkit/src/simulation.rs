//! A whole fleet, its functions, registries and operators in one thread, from one seed.
//!
//! Every port call of every function waits for its own (virtual) latency, so that calls of different invocations
//! interleave; on the way messages are lost, doubled, late and out of order, reads are stale, calls are throttled or
//! half done, processes die between any two calls, clocks differ, and devices vanish, lie and report late. The
//! [`oracle`] looks on. The same seed is the same run, to the letter.

mod agent;
mod coverage;
mod fleet;
mod news;
mod operators;
mod oracle;
mod policies;
mod registry;
mod requests;
mod sabotage;
mod scenario;
mod stage;
mod terse;
mod triggers;
mod work;

pub use coverage::Coverage;
pub use sabotage::Mutant;

/// What a run showed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What must never be, and was; empty in a good run.
    pub violations: Vec<String>,
    /// What occurred, and how often.
    pub coverage: Coverage,
    /// The run, step by step, where it was asked for.
    pub story: Vec<String>,
}

/// Runs one seed, with a deliberately broken rule where one is given.
pub fn run(seed: u64, mutant: Option<Mutant>, tell: bool) -> Report {
    stage::Stage::new(seed, mutant, tell).run()
}
