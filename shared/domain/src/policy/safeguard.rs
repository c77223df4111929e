//! What a policy protects its devices by, and what a trigger asks to have passed over.
//!
//! A trigger may be stricter than a policy as it likes. Where it is laxer (no approval, no batches, outside the windows) a
//! person must have said so, each by its name. Narrowing the selection is never laxer: every safeguard stays.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Batches, Policy, Strategy};
use crate::fields::FieldError;

/// A safeguard of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Safeguard {
    /// A person says yes before anything is offered.
    Approval,
    /// Batch by batch.
    Batches,
    /// Swaps only inside maintenance windows.
    Window,
}

impl Safeguard {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Approval, Self::Batches, Self::Window];

    /// Its name, as in the API and the CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Batches => "batches",
            Self::Window => "window",
        }
    }

    /// The safeguards that a policy has.
    pub fn of(policy: &Policy) -> BTreeSet<Self> {
        let has = |safeguard: &Self| match safeguard {
            Self::Approval => policy.update_strategy == Strategy::Manual,
            Self::Batches => policy.update_strategy != Strategy::Auto && !policy.staged_batches.is_one(),
            Self::Window => policy.window.is_some(),
        };
        Self::ALL.into_iter().filter(has).collect()
    }
}

impl fmt::Display for Safeguard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The names of safeguards, as a list for people.
pub fn names(safeguards: &BTreeSet<Safeguard>) -> String {
    safeguards.iter().map(|safeguard| safeguard.name()).collect::<Vec<_>>().join(", ")
}

/// How a trigger wants a policy to be followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// Another strategy than the policy's.
    pub strategy: Option<Strategy>,
    /// An earliest start; the policy's own holds, too.
    pub not_before: Option<Timestamp>,
    /// Safeguards that a person said may be passed over.
    pub without: BTreeSet<Safeguard>,
}

/// A policy as a trigger follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The policy, changed as it was wished.
    pub policy: Policy,
    /// Safeguards of the policy that are passed over.
    pub passed_over: BTreeSet<Safeguard>,
    /// Of these, those that nobody said may be passed over. Where there are any, nothing may be rolled out so.
    pub unsaid: BTreeSet<Safeguard>,
}

impl Wish {
    /// Whether the wish is one: a strategy and an override of what it is for contradict one another.
    pub fn check(&self) -> Result<(), FieldError> {
        let contradicted = match self.strategy {
            Some(Strategy::Manual) => Safeguard::Approval,
            Some(Strategy::Staged) => Safeguard::Batches,
            Some(Strategy::Scheduled) => Safeguard::Window,
            Some(Strategy::Auto) | None => return Ok(()),
        };
        if self.without.contains(&contradicted) {
            let strategy = self.strategy.map_or("", Strategy::as_str);
            let detail = format!("expected no override of what the strategy {strategy} asks for");
            return Err(FieldError::new(format!("/override/{contradicted}"), detail));
        }
        Ok(())
    }
}

impl Policy {
    /// The policy as this trigger would follow it, and what it passes over by that. What a person said may be passed
    /// over is passed over, whether or not a strategy is asked for.
    pub fn followed(self, wish: &Wish) -> Result<Followed, FieldError> {
        wish.check()?;
        let before = Safeguard::of(&self);
        let mut policy = match wish.strategy {
            Some(strategy) => self.with_strategy(strategy)?,
            None => self,
        };
        policy.not_before = policy.not_before.max(wish.not_before);
        let without = |safeguard| wish.without.contains(&safeguard);
        if without(Safeguard::Window) {
            policy.window = None;
        }
        if without(Safeguard::Batches) {
            policy.staged_batches = Batches::one();
        }
        policy.update_strategy = match policy.update_strategy {
            Strategy::Manual if without(Safeguard::Approval) => Strategy::Staged,
            Strategy::Scheduled if policy.window.is_none() => Strategy::Staged,
            same => same,
        };
        if policy.update_strategy == Strategy::Staged && policy.staged_batches.is_one() {
            policy.update_strategy = Strategy::Auto;
        }
        let passed_over: BTreeSet<Safeguard> = before.difference(&Safeguard::of(&policy)).copied().collect();
        let unsaid = passed_over.difference(&wish.without).copied().collect();
        Ok(Followed { policy, passed_over, unsaid })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::strategy::compile;
    use crate::testing::{nightly, policy};

    const A: Safeguard = Safeguard::Approval;
    const B: Safeguard = Safeguard::Batches;
    const W: Safeguard = Safeguard::Window;

    fn written(strategy: Strategy, windowed: bool, batches: &Value) -> Policy {
        let mut fields = if windowed { nightly() } else { json!({}) };
        fields["update_strategy"] = strategy.as_str().into();
        fields["staged_batches"] = batches.clone();
        policy(fields)
    }

    fn wish(strategy: Option<Strategy>, without: &[Safeguard]) -> Wish {
        Wish { strategy, without: without.iter().copied().collect(), ..Wish::default() }
    }

    /// What each strategy of a trigger would pass over of a policy of each strategy, where nobody said anything.
    #[test]
    fn a_strategy_is_laxer_by_what_it_leaves_out() {
        use Strategy::{Auto, Manual, Scheduled, Staged};
        for (of_policy, windowed, asked, unsaid) in [
            (Auto, false, Auto, &[][..]),
            (Auto, false, Staged, &[]),
            (Auto, false, Manual, &[]),
            (Auto, true, Scheduled, &[]),
            (Staged, false, Auto, &[B]),
            (Staged, false, Staged, &[]),
            (Staged, false, Manual, &[]),
            (Staged, true, Scheduled, &[]),
            (Staged, true, Auto, &[B]),
            (Manual, false, Auto, &[A, B]),
            (Manual, false, Staged, &[A]),
            (Manual, false, Manual, &[]),
            (Manual, true, Scheduled, &[A]),
            (Scheduled, true, Auto, &[B]),
            (Scheduled, true, Staged, &[]),
            (Scheduled, true, Manual, &[]),
            (Scheduled, true, Scheduled, &[]),
        ] {
            let followed = written(of_policy, windowed, &json!(3)).followed(&wish(Some(asked), &[])).unwrap();
            let expected: BTreeSet<Safeguard> = unsaid.iter().copied().collect();
            assert_eq!(followed.unsaid, expected, "{of_policy}, asked for {asked}");
            assert_eq!(followed.passed_over, expected, "{of_policy}, asked for {asked}");
            assert_eq!(followed.policy.update_strategy, asked, "{of_policy}, asked for {asked}");
            assert_eq!(followed.policy.window.is_some(), windowed, "a strategy alone never leaves a window out");
        }
        for of_policy in [Auto, Staged, Manual] {
            let error = written(of_policy, false, &json!(3)).followed(&wish(Some(Scheduled), &[])).unwrap_err();
            assert_eq!(error.pointer, "/update_strategy", "{of_policy} without a window");
        }
    }

    #[test]
    fn what_is_said_is_passed_over_and_nothing_else() {
        use Strategy::{Auto, Manual, Scheduled, Staged};
        // The policy's strategy and window, what the trigger asks and says: the strategy that it leads to, what is
        // passed over, what of that is unsaid.
        for (of_policy, windowed, asked, said, strategy, passed_over, unsaid) in [
            (Manual, false, None, &[A][..], Staged, &[A][..], &[][..]),
            (Manual, false, None, &[B], Manual, &[B], &[]),
            (Manual, false, None, &[A, B], Auto, &[A, B], &[]),
            (Manual, true, None, &[W], Manual, &[W], &[]),
            (Manual, true, None, &[A, B, W], Auto, &[A, B, W], &[]),
            (Manual, false, Some(Auto), &[A], Auto, &[A, B], &[B]),
            (Manual, false, Some(Auto), &[B], Auto, &[A, B], &[A]),
            (Manual, true, Some(Scheduled), &[A], Scheduled, &[A], &[]),
            (Manual, false, Some(Staged), &[A], Staged, &[A], &[]),
            (Staged, false, None, &[B], Auto, &[B], &[]),
            (Staged, false, Some(Auto), &[B], Auto, &[B], &[]),
            (Staged, false, Some(Manual), &[B], Manual, &[B], &[]),
            (Scheduled, true, None, &[W], Staged, &[W], &[]),
            (Scheduled, true, None, &[B], Scheduled, &[B], &[]),
            (Scheduled, true, None, &[B, W], Auto, &[B, W], &[]),
            (Auto, true, None, &[W], Auto, &[W], &[]),
            // Several policies share one trigger: what one of them does not have is passed over on no one's behalf.
            (Auto, false, None, &[A, B, W], Auto, &[], &[]),
            (Staged, false, None, &[A], Staged, &[], &[]),
        ] {
            let label = format!("{of_policy} (window: {windowed}), asked {asked:?}, said {said:?}");
            let followed = written(of_policy, windowed, &json!(3)).followed(&wish(asked, said)).unwrap();
            assert_eq!(followed.policy.update_strategy, strategy, "{label}");
            assert_eq!(followed.passed_over, passed_over.iter().copied().collect(), "{label}");
            assert_eq!(followed.unsaid, unsaid.iter().copied().collect(), "{label}");
            assert_eq!(
                compile(&followed.policy).boundaries(10).len() == 1,
                !Safeguard::of(&followed.policy).contains(&B),
                "{label}"
            );
        }
    }

    #[test]
    fn one_batch_of_all_is_no_safeguard() {
        for batches in [json!(1), json!(["100%"])] {
            let followed =
                written(Strategy::Staged, false, &batches).followed(&wish(Some(Strategy::Auto), &[])).unwrap();
            assert!(followed.passed_over.is_empty(), "{batches}");
        }
    }

    #[test]
    fn a_wish_that_contradicts_itself_is_refused_by_field() {
        for (asked, said, pointer) in [
            (Strategy::Manual, A, "/override/approval"),
            (Strategy::Staged, B, "/override/batches"),
            (Strategy::Scheduled, W, "/override/window"),
        ] {
            let error =
                written(Strategy::Scheduled, true, &json!(3)).followed(&wish(Some(asked), &[said])).unwrap_err();
            assert_eq!(error.pointer, pointer);
        }
    }
}
