//! What the server sees of a device, from its first word to its last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::*;
use crate::agent::Ended;
use crate::simulated::{Durations, FaultProfile, NoStore, SimulatedContainers, SimulatedHost, SimulatedRuntime};
use crate::state::snapshot::Doing;

/// Lets a device with this fault profile (for v2 alone) live for as many turns as there are answers; tells what the server saw.
/// `None` for the end of a device that went silent.
async fn story(
    profile: FaultProfile,
    refuse_reports: u32,
    answers: Vec<Answer>,
) -> (Vec<String>, Snapshot, Option<Ended>) {
    let turns = answers.len() + refuse_reports as usize;
    let told = Arc::new(Mutex::new(Vec::new()));
    let link = Script { answers: answers.into(), refuse_reports, told: Arc::clone(&told) };
    let profile_of = move |image: &Image| if image.image.ends_with(":v2") { profile } else { FaultProfile::Healthy };
    let services = || [("app".to_owned(), pinned("v1"))];
    let runtime =
        SimulatedRuntime::new(SimulatedContainers::running(services()), profile_of, Durations::of_device(0.5));
    let ports = Ports { link, runtime: Arc::new(runtime), host: Arc::new(SimulatedHost), store: NoStore };
    let runtime = Arc::clone(&ports.runtime);
    let (mut agent, seen) = agent(ports, Memory::running(services()));
    let mut ended = None;
    for _ in 0..turns {
        tokio::select! {
            end = agent.turn() => if let Err(end) = end {
                ended = Some(end);
                break;
            },
            () = runtime.gone() => break,
        }
    }
    let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seen = seen.borrow().clone();
    (told, seen, ended)
}

fn runs(seen: &Snapshot) -> (String, bool) {
    let running = &seen.memory.running["app"];
    (running.image.image.rsplit(':').next().unwrap_or_default().to_owned(), running.healthy)
}

#[tokio::test(start_paused = true)]
async fn an_update_takes_two_reports_and_a_question_before_the_swap() {
    let answers = vec![
        target("v2", Some(("update", "download", 1))),
        target("v2", Some(("update", "swap", 1))),
        target("v2", None),
    ];
    let (told, seen, _) = story(FaultProfile::Healthy, 0, answers).await;
    assert_eq!(
        told[..6],
        [
            "report app=v1",
            "poll [p]",
            "report 1.1 image_pulling, 1.2 image_pulled",
            "poll [t2 p]",
            "report app=v2, 1.3 container_updating, 1.4 update_completed, 1.5 health_check_passed",
            "poll [t1 p]",
        ]
    );
    assert_eq!(runs(&seen), ("v2".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_it_before_the_swap() {
    let answers = vec![
        target("v2", Some(("update", "download", 1))),
        Answer::Unchanged,
        Answer::Unchanged,
        target("v2", Some(("update", "swap", 1))),
    ];
    let (told, seen, _) = story(FaultProfile::Healthy, 0, answers).await;
    let before_swap = told.iter().position(|line| line.contains("container_updating")).expect("it swaps");
    assert_eq!(told[..before_swap].iter().filter(|line| line.starts_with("poll")).count(), 4);
    assert_eq!(told.iter().filter(|line| line.contains("image_pulling")).count(), 1);
    assert_eq!(runs(&seen).0, "v2");
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_told_and_taken_back() {
    let offered = || vec![target("v2", Some(("update", "download", 1))), target("v2", Some(("update", "swap", 1)))];
    for (label, profile, last, running) in [
        (
            "unhealthy",
            FaultProfile::Unhealthy,
            "report 1.3 container_updating, 1.4 update_completed, 1.5 health_check_failed, 1.6 rolled_back",
            ("v1", true),
        ),
        (
            "does not start",
            FaultProfile::SwapFails,
            "report 1.3 container_updating, 1.4 update_failed, 1.5 rolled_back",
            ("v1", true),
        ),
        ("cannot be fetched", FaultProfile::PullFails, "report 1.1 image_pulling, 1.2 update_failed", ("v1", true)),
        (
            "cannot go back",
            FaultProfile::RollbackFails,
            "report app=v2!, 1.3 container_updating, 1.4 update_completed, 1.5 health_check_failed, 1.6 rollback_failed",
            ("v2", false),
        ),
    ] {
        let (told, seen, ended) = story(profile, 0, offered()).await;
        let report = told.iter().rfind(|line| line.starts_with("report")).expect("a report");
        assert_eq!((report.as_str(), ended), (last, None), "{label}");
        assert_eq!(runs(&seen), (running.0.to_owned(), running.1), "{label}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_of_everything_takes_back_what_is_healthy() {
    let answers = vec![
        target("v2", Some(("update", "download", 1))),
        target("v2", Some(("update", "swap", 1))),
        target("v1", Some(("rollback", "swap", 1))),
        target("v1", Some(("rollback", "swap", 1))),
    ];
    let (told, seen, _) = story(FaultProfile::Healthy, 0, answers).await;
    let back: Vec<_> = told.iter().filter(|line| line.contains("rolled_back")).collect();
    assert_eq!(back, ["report app=v1, 1.6 rolled_back"]);
    assert_eq!(runs(&seen), ("v1".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn a_way_back_is_tried_again_when_the_server_raises_the_attempt() {
    let mut answers = vec![target("v2", Some(("update", "download", 1))), target("v2", Some(("update", "swap", 1)))];
    answers.extend((2..=3).map(|attempt| target("v1", Some(("rollback", "swap", attempt)))));
    let (told, ..) = story(FaultProfile::RollbackFails, 0, answers).await;
    let failed: Vec<_> = told.iter().filter(|line| line.contains("rollback_failed")).collect();
    assert_eq!(failed[1..], ["report 2.1 rollback_failed", "report 3.1 rollback_failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_joiner_converges_without_reports() {
    let (told, seen, _) = story(FaultProfile::Healthy, 0, vec![target("v2", None)]).await;
    assert_eq!(told, ["report app=v1", "poll [p]", "report app=v2", "poll [t0 p]"]);
    assert_eq!(runs(&seen), ("v2".to_owned(), true));
    let (told, seen, _) = story(FaultProfile::Unhealthy, 0, vec![target("v2", None), Answer::Unchanged]).await;
    // It went back before it told anything, and does not try again at once.
    assert_eq!(told, ["report app=v1", "poll [p]", "poll [t1 p]", "poll [t1 p]"]);
    assert_eq!(runs(&seen), ("v1".to_owned(), true));
}

#[tokio::test(start_paused = true)]
async fn errors_are_waited_out_and_nothing_is_lost() {
    let later = || Answer::Fails(LinkError::Later { after: Some(Duration::from_secs(3)), why: "503".to_owned() });
    let answers = vec![
        later(),
        target("v2", Some(("update", "download", 1))),
        later(),
        target("v2", Some(("update", "swap", 1))),
    ];
    let (told, seen, _) = story(FaultProfile::Healthy, 4, answers).await;
    assert_eq!(told[..4], ["report fails"; 4]);
    assert!(told.iter().any(|line| line.ends_with("1.5 health_check_passed")));
    assert_eq!((runs(&seen).0.as_str(), seen.tally.errors), ("v2", 6));
}

#[tokio::test(start_paused = true)]
async fn ends_when_it_vanishes_or_is_deleted() {
    let answers = vec![target("v2", Some(("update", "download", 1))), target("v2", Some(("update", "swap", 1)))];
    let (told, seen, ended) = story(FaultProfile::VanishesAfterSwap, 0, answers).await;
    assert_eq!((ended, runs(&seen).0.as_str()), (None, "v2"));
    assert!(!told.iter().any(|line| line.contains("container_updating")));
    let (_, seen, ended) = story(FaultProfile::Healthy, 0, vec![Answer::Fails(LinkError::Deleted)]).await;
    assert_eq!((ended, runs(&seen).0.as_str()), (Some(Ended::Deleted), "v1"));
    assert_eq!(seen.doing, Doing::Deleted);
}
