//! What the strategies mean.

use super::gates::Gate;
use super::stage::{Phase, Stage, Stages};
use crate::policy::{Policy, Share, Strategy};
use crate::window::WindowZone;

/// The stages of a rollout under this policy.
pub fn compile(policy: &Policy) -> Stages {
    let window = policy.window.as_ref().filter(|window| matches!(window.zone(), WindowZone::Named(_)));
    let window = window.map(|_| Gate::Window);
    let approval = (policy.update_strategy == Strategy::Manual)
        .then_some(Gate::Approval { expiry_hours: policy.approval_expiry_hours });
    let not_before = policy.not_before.map(|at| Gate::NotBefore { at });
    let proven = vec![Gate::Contents, Gate::FailureRules, Gate::Settled];
    let paced = [Gate::Delay { seconds: policy.batch_delay_seconds }, Gate::Soak { seconds: policy.soak_seconds }];
    let between: Vec<Gate> = proven.iter().cloned().chain(paced).chain(window.clone()).collect();
    let stage = |share, gates: &[Gate]| Stage { share, phase: Phase::Swap, gates: gates.to_vec() };

    let mut shares = match policy.update_strategy {
        Strategy::Auto => vec![Share::ALL],
        Strategy::Staged | Strategy::Manual | Strategy::Scheduled => policy.staged_batches.shares(),
    };
    let last = shares.pop().unwrap_or(Share::ALL);
    Stages {
        entry: approval.into_iter().chain(not_before).chain(window).collect(),
        stages: shares.into_iter().map(|share| stage(share, &between)).chain([stage(last, &proven)]).collect(),
    }
}
