//! The stages of a rollout as people see them: each gate with what it says now.

use jiff::Timestamp;

use super::gates::{Facts, Gate, Verdict};
use super::stage::{Phase, Stages};
use crate::policy::Share;
use crate::rollout::Status;

/// The entry of a rollout or one of its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownStage {
    /// From 1; 0 is the entry.
    pub number: u32,
    /// How far it reaches; none of the entry.
    pub share: Option<Share>,
    /// What devices may do in it; none at the entry.
    pub phase: Option<Phase>,
    /// What must hold before the next one opens.
    pub gates: Vec<ShownGate>,
}

/// A gate and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownGate {
    /// The gate's name.
    pub kind: &'static str,
    /// What it says.
    pub state: GateState,
    /// Why, where it holds the rollout up.
    pub why: Option<String>,
    /// When it passes at the soonest, where only time is missing.
    pub until: Option<Timestamp>,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateState {
    /// The rollout does not stand before it yet, or never will.
    NotReached,
    /// It holds nothing up.
    Passed,
    /// Not yet.
    Waiting,
    /// The rollout must not go on.
    Stopped,
    /// Nothing is proven.
    Inconclusive,
}

impl GateState {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::NotReached, Self::Passed, Self::Waiting, Self::Stopped, Self::Inconclusive];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReached => "not_reached",
            Self::Passed => "passed",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The entry and every stage of a rollout that stands before the gates behind `place`.
pub(crate) fn shown(stages: &Stages, place: u32, facts: &Facts<'_>) -> Vec<ShownStage> {
    let rollout = facts.rollout;
    let moves = rollout.status.live() && rollout.status != Status::Pending;
    let gates = |number: u32, gates: &[Gate]| -> Vec<ShownGate> {
        let gates = gates.iter();
        if number < place || rollout.status == Status::Completed {
            return gates.map(|gate| ShownGate::of(gate, GateState::Passed)).collect();
        }
        if number > place || !moves {
            return gates.map(|gate| ShownGate::of(gate, GateState::NotReached)).collect();
        }
        gates.map(|gate| ShownGate::asked(gate, facts)).collect()
    };
    let entry = ShownStage { number: 0, share: None, phase: None, gates: gates(0, &stages.entry) };
    let stages = (1..).zip(&stages.stages).map(|(number, stage)| ShownStage {
        number,
        share: Some(stage.share),
        phase: Some(stage.phase),
        gates: gates(number, &stage.gates),
    });
    std::iter::once(entry).chain(stages).collect()
}

impl ShownGate {
    const fn of(gate: &Gate, state: GateState) -> Self {
        Self { kind: gate.name(), state, why: None, until: None }
    }

    fn asked(gate: &Gate, facts: &Facts<'_>) -> Self {
        let (state, why, until) = match gate.check(facts) {
            Verdict::Pass => (GateState::Passed, None, None),
            Verdict::Wait { why, until } => (GateState::Waiting, Some(why), until),
            Verdict::Stop { why, .. } => (GateState::Stopped, Some(why), None),
            Verdict::Inconclusive { why } => (GateState::Inconclusive, Some(why), None),
        };
        Self { why, until, ..Self::of(gate, state) }
    }
}
