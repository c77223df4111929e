use super::*;
use crate::fault::Reason;
use crate::server::target::{Action, MoveKey};
use crate::update::swap::{OldContainer, Purpose, Stage, SwapOptions};

fn id(name: &str) -> ContainerId {
    ContainerId(name.to_owned())
}

fn image(tag: &str) -> Image {
    Image { image: format!("docker.io/a/b:{tag}"), digest: None }
}

fn service(strategy: Strategy, step: SwapStep) -> ServiceSwap {
    ServiceSwap {
        service: "app".to_owned(),
        image: image("2"),
        strategy,
        stop_grace_seconds: 10,
        old: Some(OldContainer { id: id("old"), image: image("1"), healthy: true }),
        new: Some(id("new")),
        step,
    }
}

/// Every step from this one to the last.
fn steps(mut swap: ServiceSwap, observed: &Observed, last: &SwapStep) -> Vec<SwapStep> {
    let mut steps = Vec::new();
    while steps.last() != Some(last) {
        swap.step = next_step(&swap, observed);
        steps.push(swap.step.clone());
        assert!(steps.len() < 10, "it comes to no end: {steps:?}");
    }
    steps
}

#[test]
fn to_the_new_image() {
    use SwapStep::{Check, Create, Done, RunPreUpdateHook, Start, SwitchOver};
    for (label, strategy, from, expected) in [
        ("recreate", Strategy::Recreate, RunPreUpdateHook, vec![Create, Start, Check, Done]),
        ("blue-green", Strategy::BlueGreen, RunPreUpdateHook, vec![Create, Start, Check, SwitchOver, Done]),
        ("goes on after the start", Strategy::Recreate, Start, vec![Check, Done]),
        ("goes on after the check", Strategy::BlueGreen, Check, vec![SwitchOver, Done]),
        ("is done", Strategy::Recreate, Done, vec![Done]),
    ] {
        assert_eq!(steps(service(strategy, from), &Observed::Forward, &Done), expected, "{label}");
    }
}

#[test]
fn back_to_the_old_one() {
    use SwapStep::{Check, Create, Done, RecreateOld, RemoveNew, Returned, RunPreUpdateHook, Start, StartOld, StopNew};
    let (old, gone, none) = (Previous::Container(id("old")), Previous::Image(image("1")), Previous::Nothing);
    let stop = || StopNew(id("new"));
    let remove = || RemoveNew(id("new"));
    for (label, from, new, previous, expected) in [
        ("nothing was touched", RunPreUpdateHook, false, &old, vec![Returned]),
        ("interrupted before the new one was there", Create, false, &old, vec![StartOld(id("old")), Returned]),
        ("created, never started", Create, true, &old, vec![stop(), StartOld(id("old")), remove(), Returned]),
        ("does not start", Start, true, &old, vec![stop(), StartOld(id("old")), remove(), Returned]),
        ("unhealthy", Check, true, &old, vec![stop(), StartOld(id("old")), remove(), Returned]),
        ("another service failed", Done, true, &old, vec![stop(), StartOld(id("old")), remove(), Returned]),
        ("the old one is gone", Check, true, &gone, vec![stop(), RecreateOld(image("1")), remove(), Returned]),
        ("both are gone", Check, false, &gone, vec![RecreateOld(image("1")), Returned]),
        ("the first image that it ran", Check, true, &none, vec![remove(), Returned]),
        ("of which nothing is there", Start, false, &none, vec![Returned]),
    ] {
        for strategy in [Strategy::Recreate, Strategy::BlueGreen] {
            let observed = Observed::Back { new: new.then(|| id("new")), previous: previous.clone() };
            assert_eq!(steps(service(strategy, from.clone()), &observed, &Returned), expected, "{label}");
        }
    }
}

#[test]
fn a_way_back_that_fails_keeps_the_new_one_where_there_is_one() {
    let swap = service(Strategy::Recreate, SwapStep::Check);
    assert_eq!(next_step(&swap, &Observed::Stuck), SwapStep::KeepNew(id("new")));
    let kept = ServiceSwap { step: SwapStep::KeepNew(id("new")), ..swap.clone() };
    assert_eq!(next_step(&kept, &Observed::Stuck), SwapStep::GiveUp, "that failed, too");
    let without = ServiceSwap { new: None, ..swap };
    assert_eq!(next_step(&without, &Observed::Stuck), SwapStep::GiveUp);
}

#[test]
fn where_there_is_a_choice_the_policy_makes_it() {
    use SwapStep::{Check, Create};
    for (label, step, has_old, go_back, expected) in [
        ("it ran, and the policy wants it", Check, true, true, true),
        ("it ran, and the policy does not want it", Check, true, false, false),
        ("it never ran: nothing was replaced", Create, true, false, true),
        ("there is nothing to go back to", Check, false, true, false),
    ] {
        let mut service = service(Strategy::Recreate, step);
        service.old = service.old.filter(|_| has_old);
        let key = MoveKey { rollout_id: "R".to_owned(), attempt: 1, action: Action::Update };
        let options = SwapOptions { check: None, healthy_for_seconds: 0, within_seconds: 1, go_back, previous: None };
        let swap = Swap { purpose: Purpose::Update(key), options, services: vec![service], stage: Stage::Forward };
        assert_eq!(goes_back(&swap, "app"), expected, "{label}");
    }
}

#[test]
fn a_failure_is_reported_as_what_it_is() {
    for (step, reason, expected) in [
        (SwapStep::Check, Reason::Unhealthy, DeviceEvent::HealthCheckFailed),
        (SwapStep::Check, Reason::ExitsAtOnce, DeviceEvent::HealthCheckFailed),
        (SwapStep::Check, Reason::HookFailed, DeviceEvent::UpdateFailed),
        (SwapStep::Start, Reason::ExitsAtOnce, DeviceEvent::UpdateFailed),
    ] {
        assert_eq!(failure_event(&step, reason), expected, "{step:?}, {reason:?}");
    }
}

#[test]
fn one_container_is_left() {
    use State::{Created, Exited, Restarting, Running};
    let of = |place: Place, state: &State, ours: bool| Container {
        id: id(&format!("{place:?}")),
        place,
        ours,
        image: image("1"),
        state: state.clone(),
        created_for: None,
    };
    let remove = |place: &str| Leftover::Remove(id(place));
    let restore = || Leftover::Restore(id("Fallback"));
    for (label, there, expected) in [
        ("all is well", vec![(Place::Live, Running)], vec![]),
        ("stopped by somebody", vec![(Place::Live, Exited(0))], vec![]),
        ("created and never started", vec![(Place::Live, Created)], vec![Leftover::Start(id("Live"))]),
        ("the new one serves", vec![(Place::Live, Running), (Place::Fallback, Exited(0))], vec![remove("Fallback")]),
        ("it is restarted", vec![(Place::Live, Restarting(1)), (Place::Fallback, Exited(0))], vec![remove("Fallback")]),
        ("it does not", vec![(Place::Live, Exited(1)), (Place::Fallback, Exited(0))], vec![remove("Live"), restore()]),
        ("interrupted between them", vec![(Place::Next, Created), (Place::Fallback, Exited(0))], {
            vec![restore(), remove("Next")]
        }),
        ("one beside it", vec![(Place::Live, Running), (Place::Next, Running)], vec![remove("Next")]),
    ] {
        let found: Vec<_> = there.iter().map(|(place, state)| of(*place, state, true)).collect();
        assert_eq!(leftovers(&found), expected, "{label}");
        let strangers: Vec<_> = there.iter().map(|(place, state)| of(*place, state, false)).collect();
        assert_eq!(leftovers(&strangers), [], "{label}, but a stranger's");
    }
}
