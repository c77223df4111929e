//! Stages: how far a rollout is opened, one after another.

use serde::{Deserialize, Serialize};

use super::gates::Gate;
use crate::policy::Share;

/// How far a device may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fetch and wait; replace nothing.
    Download,
    /// Replace.
    #[default]
    Swap,
}

impl Phase {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    const fn is_swap(&self) -> bool {
        matches!(self, Self::Swap)
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// How far it reaches, all stages before it included.
    pub share: Share,
    /// What devices may do.
    #[serde(default, skip_serializing_if = "Phase::is_swap")]
    pub phase: Phase,
    /// What must hold before the next stage opens; of the last one, before the rollout completes.
    pub gates: Vec<Gate>,
}

/// All stages of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    /// What must hold before the first stage opens.
    pub entry: Vec<Gate>,
    /// From the first to the last, which reaches everybody.
    pub stages: Vec<Stage>,
}

impl Stages {
    /// The gates behind this stage, from 1; behind 0 are those of the entry.
    pub fn gates_behind(&self, stage: u32) -> &[Gate] {
        match stage {
            0 => &self.entry,
            number => self.stages.get(number as usize - 1).or(self.stages.last()).map_or(&[], |stage| &stage.gates),
        }
    }

    /// What devices may do while this stage, from 1, is the newest open one.
    pub fn phase(&self, stage: u32) -> Phase {
        (stage as usize)
            .checked_sub(1)
            .and_then(|index| self.stages.get(index))
            .map_or(Phase::Swap, |stage| stage.phase)
    }

    /// Where each stage ends in the order of `total` devices; the last entry is `total`.
    ///
    /// Every stage gets at least one device while there are any, so that a small fleet has a canary too; a stage that
    /// ends where the one before it ended is empty.
    pub fn boundaries(&self, total: u32) -> Vec<u32> {
        let mut end = 0;
        let boundary = |(index, stage): (usize, &Stage)| {
            let last = index + 1 == self.stages.len();
            end = if last { total } else { stage.share.of(total).max(end + 1).min(total) };
            end
        };
        self.stages.iter().enumerate().map(boundary).collect()
    }
}
