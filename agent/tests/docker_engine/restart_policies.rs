//! Suspended restart policies: neither a restart of the engine nor its end brings such a container up.

use std::process::Command;
use std::time::Duration;

use tidegate_agent::runtime::{Containers as _, Place, Services as _, State};

use super::bench::{GRACE, alone_with_engine, at, needed, sleeper, with_engine};

#[tokio::test]
async fn a_policy_that_was_held_comes_back() {
    with_engine("policy", |bench| async move {
        let image = bench.image("1", &[]).await;
        let service = bench.name.clone();
        let mut body = sleeper(&image, Some(&service));
        body.host_config = serde_json::from_value(
            serde_json::json!({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
        )
        .ok();
        let id = bench.run_by_hand(&service, body).await;
        let policy = || async { bench.inspect(&id).await["HostConfig"]["RestartPolicy"].clone() };
        let own = policy().await;
        for _ in 0..2 {
            assert_eq!(bench.adopting().suspend_restart_policy(&id).await, Ok(()));
            assert_eq!(policy().await["Name"], "no");
        }
        for _ in 0..2 {
            // Another process of the agent, after a crash.
            assert_eq!(bench.adopting().resume_restart_policy(&id).await, Ok(()));
            assert_eq!(policy().await, own);
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_folder_costs_no_policy_of_a_container_of_ours() {
    with_engine("folder", |bench| async move {
        let image = bench.image("1", &[]).await;
        let text = format!("services: {{web: {{image: '{}', command: /bin/sleep 600, restart: always}}}}", image.image);
        let runtime = bench.declaring(&text);
        let id = bench.create(&runtime, "web", &image, Place::Live, "a").await.expect("it can be made");
        assert_eq!(runtime.suspend_restart_policy(&id).await, Ok(()));
        std::fs::remove_file(bench.folder.join("held.json")).expect("it was written");
        assert_eq!(runtime.resume_restart_policy(&id).await, Ok(()));
        assert_eq!(bench.inspect(&id).await["HostConfig"]["RestartPolicy"]["Name"], "always");
    })
    .await;
}

#[tokio::test]
async fn held_across_a_restart_of_the_engine() {
    let Some(restart) = needed("TIDEGATE_TEST_ENGINE_RESTART") else { return };
    alone_with_engine("hold", |bench| async move {
        let image = bench.image("1", &[]).await;
        let service = |restart: &str| {
            format!("image: '{}', command: /bin/sleep 600, stop_signal: SIGKILL, restart: {restart}", image.image)
        };
        let text = format!("services: {{old: {{{}}}, new: {{{}}}}}", service("always"), service("always"));
        let runtime = bench.declaring(&text);
        let mut ids = Vec::new();
        for name in ["old", "new"] {
            let id = bench.create(&runtime, name, &image, Place::Live, "a").await.expect("it can be made");
            assert_eq!(runtime.start(&id).await, Ok(()));
            ids.push(id);
        }
        assert_eq!(runtime.stop(&ids[0], GRACE).await, Ok(()));
        assert_eq!(runtime.suspend_restart_policy(&ids[0]).await, Ok(()));
        let done = tokio::task::spawn_blocking(move || Command::new(restart).status()).await.expect("it ends");
        assert!(done.expect("it can be run").success());

        // The same object goes on when the engine is back.
        let mut running = false;
        for _ in 0..60 {
            let containers = runtime.containers("new").await.unwrap_or_default();
            running = at(&containers, Place::Live).is_some_and(|one| one.state == State::Running);
            if running {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(running, "the engine starts the other by itself");
        let containers = runtime.containers("old").await.expect("it answers");
        assert!(matches!(containers[0].state, State::Exited(_)), "{:?}", containers[0].state);
        assert_eq!(runtime.resume_restart_policy(&ids[0]).await, Ok(()));
        assert_eq!(runtime.start(&ids[0]).await, Ok(()));
    })
    .await;
}
