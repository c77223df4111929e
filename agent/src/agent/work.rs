//! What to do with an answer: the one place that decides what a device does next. Pure.

use jiff::Timestamp;
use tidegate_domain::health::HealthCheck;

use crate::image::Image;
use crate::server::target::{Action, Move, Phase, TargetState};
use crate::state::memory::Memory;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The services that it is about, which stand or fall together, and the image of each.
    pub services: Vec<(String, Image)>,
    /// How to find out whether they are healthy.
    pub check: Option<HealthCheck>,
    pub kind: Kind,
}

impl Work {
    pub fn names(&self) -> Vec<String> {
        self.services.iter().map(|(name, _)| name.clone()).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Fetch the image; replace nothing.
    Pull(Move),
    /// Replace the containers, check them, go back where one fails.
    Swap(Move),
    /// Return to the old image: everything is rolled back.
    GoBack(Move),
    /// Bring the service to what it should run anyway: a joiner, or drift.
    Converge,
}

/// The next piece of work, or none. A swap is named only on an answer that allows it, so it must be asked directly
/// after a poll.
pub fn next(target: &TargetState, memory: &Memory, now: Timestamp) -> Option<Work> {
    let in_rollout = target.services.values().find_map(|service| {
        let moving = service.rollout.as_ref()?;
        let key = moving.key();
        let kind = in_rollout(moving, memory)?;
        let together =
            target.services.iter().filter(|(_, other)| other.rollout.as_ref().is_some_and(|m| m.key() == key));
        let services = together.map(|(name, other)| (name.clone(), other.image.clone())).collect();
        Some(Work { services, check: service.health_check.clone(), kind })
    });
    in_rollout.or_else(|| at_rest(target, memory, now))
}

/// What is to be done outside of any rollout, which may be done on an old answer as well.
pub fn at_rest(target: &TargetState, memory: &Memory, now: Timestamp) -> Option<Work> {
    let resting = target.services.iter().filter(|(_, service)| service.rollout.is_none());
    let astray = resting.filter(|(name, service)| {
        let runs = memory.running.get(*name);
        let same = runs.is_some_and(|running| running.image.is_same(&service.image));
        let held = memory.failure(name, &service.image).is_some_and(|failed| failed.not_before > now);
        !same && !held
    });
    // What others depend on is started first.
    let rank = |name: &str| memory.order.iter().position(|one| one == name).unwrap_or(usize::MAX);
    astray.min_by_key(|(name, _)| rank(name)).map(|(name, service)| Work {
        services: vec![(name.clone(), service.image.clone())],
        check: service.health_check.clone(),
        kind: Kind::Converge,
    })
}

fn in_rollout(moving: &Move, memory: &Memory) -> Option<Kind> {
    let key = moving.key();
    if memory.has_finished(&key) {
        return None;
    }
    match (moving.action, moving.phase) {
        (Action::Update, Phase::Download | Phase::Swap) if memory.has_pulled(&key).is_none() => {
            Some(Kind::Pull(moving.clone()))
        }
        (Action::Update, Phase::Swap) => Some(Kind::Swap(moving.clone())),
        (Action::Rollback, Phase::Swap) => Some(Kind::GoBack(moving.clone())),
        (Action::Update | Action::Rollback, Phase::Download) => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use tidegate_domain::image::Digest;

    use super::*;
    use crate::server::target::{MoveKey, ServiceTarget};
    use crate::state::memory::Failed;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn image(tag: &str) -> Image {
        let fill = if tag == "v1" { "1" } else { "2" };
        Image {
            image: format!("docker.io/a/b:{tag}"),
            digest: Digest::parse(&format!("sha256:{}", fill.repeat(64))).ok(),
        }
    }

    fn target(tag: &str, rollout: Option<Move>) -> TargetState {
        let service = ServiceTarget { image: image(tag), health_check: None, rollout };
        TargetState { services: [("app".to_owned(), service)].into() }
    }

    fn moving(action: Action, phase: Phase) -> Move {
        Move {
            rollout_id: "R".to_owned(),
            attempt: 1,
            action,
            phase,
            previous: Some(image("v1")),
            auto_rollback: true,
            healthy_for_seconds: 0,
            health_check_timeout_seconds: 30,
        }
    }

    fn runs_v1() -> Memory {
        Memory::running([("app".to_owned(), image("v1"))])
    }

    fn key(action: Action) -> MoveKey {
        MoveKey { rollout_id: "R".to_owned(), attempt: 1, action }
    }

    fn pulled() -> Memory {
        let mut memory = runs_v1();
        memory.pulled(key(Action::Update), image("v2").digest.expect("a digest"));
        memory
    }

    fn finished(action: Action) -> Memory {
        let mut memory = pulled();
        memory.finish(key(action));
        memory
    }

    #[test]
    fn what_others_depend_on_is_started_first() {
        let mut target = target("v1", None);
        let service = target.services["app"].clone();
        target.services.insert("db".to_owned(), service);
        let mut memory = Memory::default();
        memory.order = vec!["db".to_owned(), "app".to_owned()];
        let work = next(&target, &memory, NOW).expect("something is to be started");
        assert_eq!(work.services[0].0, "db");
    }

    #[test]
    fn services_that_move_together_are_one_piece_of_work() {
        let mut target = target("v2", Some(moving(Action::Update, Phase::Swap)));
        let other = target.services["app"].clone();
        target.services.insert("side".to_owned(), other);
        target
            .services
            .insert("db".to_owned(), ServiceTarget { image: image("v1"), health_check: None, rollout: None });
        let work = next(&target, &pulled(), NOW).expect("something is to be done");
        let names: Vec<_> = work.services.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["app", "side"], "and a rollout comes before what is at rest");
    }

    fn name(work: Option<Work>) -> &'static str {
        match work.map(|work| work.kind) {
            None => "nothing",
            Some(Kind::Pull(_)) => "pull",
            Some(Kind::Swap(_)) => "swap",
            Some(Kind::GoBack(_)) => "go back",
            Some(Kind::Converge) => "converge",
        }
    }

    #[test]
    fn decides() {
        use Action::{Rollback, Update};
        use Phase::{Download, Swap};
        let held = |not_before| {
            let mut memory = runs_v1();
            memory.failed("app", Failed { image: image("v2"), times: 1, not_before, why: String::new() });
            memory
        };
        let later = NOW + SignedDuration::from_secs(1);
        for (label, target, memory, expected) in [
            ("at rest", target("v1", None), runs_v1(), "nothing"),
            ("drifted, or joined late", target("v2", None), runs_v1(), "converge"),
            ("failed to converge just now", target("v2", None), held(later), "nothing"),
            ("failed to converge a while ago", target("v2", None), held(NOW), "converge"),
            ("offered", target("v2", Some(moving(Update, Download))), runs_v1(), "pull"),
            ("waits for the swap", target("v2", Some(moving(Update, Download))), pulled(), "nothing"),
            ("may swap", target("v2", Some(moving(Update, Swap))), pulled(), "swap"),
            ("may swap, image lost", target("v2", Some(moving(Update, Swap))), runs_v1(), "pull"),
            ("swapped already", target("v2", Some(moving(Update, Swap))), finished(Update), "nothing"),
            ("taken back", target("v1", Some(moving(Rollback, Swap))), finished(Update), "go back"),
            ("taken back already", target("v1", Some(moving(Rollback, Swap))), finished(Rollback), "nothing"),
        ] {
            assert_eq!(name(next(&target, &memory, NOW)), expected, "{label}");
        }
    }

    #[test]
    fn another_attempt_is_other_work() {
        let again = Move { attempt: 2, ..moving(Action::Rollback, Phase::Swap) };
        assert_eq!(name(next(&target("v1", Some(again)), &finished(Action::Rollback), NOW)), "go back");
    }
}
