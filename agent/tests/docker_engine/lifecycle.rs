//! A declared service from its first container to its second, each call twice.

use tidegate_agent::container_spec::Strategy;
use tidegate_agent::image::Image;
use tidegate_agent::runtime::{Containers as _, Images as _, Place, Services as _, State};

use super::bench::{GRACE, at, with_engine};

const SERVICES: &str = "
services:
  web:
    image: IMAGE
    command: [/bin/sleep, '600']
    stop_signal: SIGKILL
    environment: {KEY: value}
    mem_limit: 32m
    cap_drop: [ALL]
    volumes: ['data:/data']
    networks: {front: {aliases: [www]}, back: {}}
volumes: {data: {}}
networks: {front: {}, back: {}}
";

#[tokio::test]
async fn from_one_container_to_the_next() {
    with_engine("life", |bench| async move {
        let old = bench.image("1", &["ENV FROM_IMAGE=1"]).await;
        let new = bench.image("2", &["ENV FROM_IMAGE=2"]).await;
        let runtime = bench.declaring(&SERVICES.replace("IMAGE", &old.image));
        let services = runtime.services().await.expect("the engine answers");
        assert_eq!(services["web"].image, old);
        assert_eq!(services["web"].strategy, Strategy::Recreate);
        assert_eq!(runtime.containers("web").await, Ok(Vec::new()));

        // Made, taken again for the same work, started twice.
        let first = bench.create(&runtime, "web", &old, Place::Live, "first").await.expect("it can be made");
        assert_eq!(bench.create(&runtime, "web", &old, Place::Live, "first").await, Ok(first.clone()));
        let state = |containers: &[_], place| at(containers, place).map(|container| container.state.clone());
        assert_eq!(state(&runtime.containers("web").await.expect("it answers"), Place::Live), Some(State::Created));
        for _ in 0..2 {
            assert_eq!(runtime.start(&first).await, Ok(()));
        }
        let containers = runtime.containers("web").await.expect("it answers");
        let live = at(&containers, Place::Live).expect("it runs");
        assert_eq!((live.state.clone(), live.ours, live.created_for.as_deref()), (State::Running, true, Some("first")));
        let content = runtime.present(&old).await.expect("it answers");
        assert_eq!(live.image, Image { image: old.image.clone(), digest: content });

        // What the file says reached it.
        let inspected = bench.inspect(&first).await;
        let env = inspected["Config"]["Env"].as_array().cloned().unwrap_or_default();
        assert!(env.contains(&"KEY=value".into()) && env.contains(&"FROM_IMAGE=1".into()), "{env:?}");
        assert_eq!(inspected["HostConfig"]["Memory"], 32 << 20);
        let networks = inspected["NetworkSettings"]["Networks"].as_object().cloned().unwrap_or_default();
        assert_eq!(networks.len(), 2, "{networks:?}");
        let front = &networks[&format!("{}_front", bench.name)]["Aliases"];
        assert!(front.to_string().contains("\"www\"") && front.to_string().contains("\"web\""), "{front}");

        // Another work under the same name is refused while it runs: what serves is never removed in passing.
        let fault = bench.create(&runtime, "web", &new, Place::Live, "second").await.expect_err("it serves");
        assert_eq!(fault.reason, tidegate_agent::fault::Reason::NameTaken, "{fault}");

        // It makes room, its restart policy suspended; the next one takes its place.
        for _ in 0..2 {
            assert_eq!(runtime.stop(&first, GRACE).await, Ok(()));
            assert_eq!(runtime.rename(&first, "web", Place::Fallback).await, Ok(()));
        }
        let second = bench.create(&runtime, "web", &new, Place::Live, "second").await.expect("it can be made");
        assert_eq!(runtime.start(&second).await, Ok(()));
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(at(&containers, Place::Live).map(|one| &one.id), Some(&second));
        assert_eq!(at(&containers, Place::Fallback).map(|one| &one.id), Some(&first));
        assert!(matches!(state(&containers, Place::Fallback), Some(State::Exited(_))));
        let env = bench.inspect(&second).await["Config"]["Env"].to_string();
        assert!(env.contains("FROM_IMAGE=2") && !env.contains("FROM_IMAGE=1"), "{env}");

        // Gone, and gone again; whatever is asked of what is gone.
        for _ in 0..2 {
            assert_eq!(runtime.remove(&first).await, Ok(()));
            assert_eq!(runtime.rename(&first, "web", Place::Live).await, Ok(()));
            assert_eq!(runtime.stop(&first, GRACE).await, Ok(()));
            assert_eq!(runtime.suspend_restart_policy(&first).await, Ok(()));
            assert_eq!(runtime.resume_restart_policy(&first).await, Ok(()));
        }
        let _ = runtime.remove(&second).await;
        bench
            .docker
            .remove_volume(&format!("{}_data", bench.name), None::<bollard::query_parameters::RemoveVolumeOptions>)
            .await
            .expect("the named volume stayed");
    })
    .await;
}

#[tokio::test]
async fn a_leftover_of_other_work_makes_room() {
    with_engine("left", |bench| async move {
        let image = bench.image("1", &["CMD [\"/bin/sleep\",\"600\"]"]).await;
        let runtime =
            bench.declaring(&format!("services: {{web: {{image: '{}', stop_signal: SIGKILL}}}}", image.image));
        let before = bench.create(&runtime, "web", &image, Place::Next, "before").await.expect("it can be made");
        assert_eq!(runtime.start(&before).await, Ok(()));
        let after = bench.create(&runtime, "web", &image, Place::Next, "after").await.expect("it makes room");
        assert_ne!(before, after);
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(containers.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [after]);
    })
    .await;
}

#[tokio::test]
async fn one_of_docker_compose_up_is_ours() {
    with_engine("up", |bench| async move {
        let image = bench.image("1", &[]).await;
        let runtime = bench.declaring(&format!("services: {{web: {{image: '{}'}}}}", image.image));
        let mut body = super::bench::sleeper(&image, None);
        let labels = [("com.docker.compose.project", bench.name.as_str()), ("com.docker.compose.service", "web")];
        body.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        let id = bench.run_by_hand(&format!("{}_web_1", bench.name), body).await;
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(containers.len(), 1);
        assert_eq!((&containers[0].id, containers[0].place, containers[0].ours), (&id, Place::Live, true));
        assert_eq!(containers[0].created_for, None);
    })
    .await;
}

#[tokio::test]
async fn the_engine_says_who_it_is() {
    with_engine("who", |bench| async move {
        let description = bench.adopting().describe().await.expect("it answers");
        assert!(description.platform.starts_with("linux/"), "{description:?}");
        assert!(description.root.as_ref().is_some_and(|root| root.starts_with('/')), "{description:?}");
    })
    .await;
}
