//! A container that somebody started by hand, taken over with all that it was started with.

use bollard::models::{EndpointSettings, NetworkCreateRequest, NetworkingConfig};
use serde_json::json;
use tidegate_agent::runtime::{Containers as _, Create, Place, Services as _};

use super::bench::{GRACE, at, sleeper, with_engine};

#[tokio::test]
async fn everything_goes_along_even_when_the_original_is_gone() {
    with_engine("adopt", |bench| async move {
        let changes = ["ENV FROM_IMAGE=1", "LABEL vendor=x", "VOLUME /anonymous", "WORKDIR /www"];
        let old = bench.image("1", &changes).await;
        let new = bench.image("2", &["ENV FROM_IMAGE=2", "VOLUME /anonymous"]).await;
        let network = format!("{}net", bench.name);
        let request = NetworkCreateRequest { name: network.clone(), ..NetworkCreateRequest::default() };
        bench.docker.create_network(request).await.expect("it can be made");

        let service = bench.name.clone();
        let mut body = sleeper(&old, Some(&service));
        body.env = Some(vec!["KEY=value".to_owned()]);
        body.host_config = serde_json::from_value(json!({
            "NetworkMode": network, "Memory": 32 << 20, "PidsLimit": 50, "CapDrop": ["NET_RAW"],
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 4},
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]},
            "Binds": [format!("{}:/bound:ro", bench.folder.display()), format!("{}data:/named", bench.name)],
        }))
        .ok();
        let endpoint = EndpointSettings { aliases: Some(vec!["www".to_owned()]), ..EndpointSettings::default() };
        body.networking_config =
            Some(NetworkingConfig { endpoints_config: Some([(network.clone(), endpoint)].into()) });
        let original = bench.run_by_hand(&format!("{}-by-hand", bench.name), body).await;
        let before = bench.inspect(&original).await;

        let runtime = bench.adopting();
        let services = runtime.services().await.expect("it answers");
        assert_eq!(services[&service].image.image, old.image);
        let containers = runtime.containers(&service).await.expect("it answers");
        assert_eq!((containers[0].place, containers[0].ours), (Place::Live, true));

        // The original makes room, as an update has it.
        assert_eq!(runtime.stop(&original, GRACE).await, Ok(()));
        assert_eq!(runtime.suspend_restart_policy(&original).await, Ok(()));
        assert_eq!(runtime.rename(&original, &service, Place::Fallback).await, Ok(()));
        let create = |image, created_for, like| Create {
            service: &service,
            image,
            place: Place::Live,
            like,
            created_for,
            serves: true,
        };
        let next = runtime.create(&create(&new, "a", Some(&original))).await.expect("it can be made");
        assert_eq!(runtime.start(&next).await, Ok(()));
        let after = bench.inspect(&next).await;
        assert_eq!(after["Name"], before["Name"], "the name that others know it by");
        for pointer in [
            "/HostConfig/Binds",
            "/HostConfig/PortBindings",
            "/HostConfig/RestartPolicy",
            "/HostConfig/Memory",
            "/HostConfig/PidsLimit",
            "/HostConfig/CapDrop",
            "/HostConfig/NetworkMode",
            "/Config/Cmd",
        ] {
            assert_eq!(after.pointer(pointer), before.pointer(pointer), "{pointer}");
        }
        let env = after["Config"]["Env"].to_string();
        assert!(env.contains("KEY=value") && env.contains("FROM_IMAGE=2") && !env.contains("FROM_IMAGE=1"), "{env}");
        assert_eq!(after["Config"]["WorkingDir"].as_str().unwrap_or_default(), "", "the new image has none");
        let aliases = after["NetworkSettings"]["Networks"][&network]["Aliases"].to_string();
        assert!(aliases.contains("\"www\"") && !aliases.contains(&original.0[..12]), "{aliases}");
        let anonymous = |inspected: &serde_json::Value| {
            let mounts = inspected["Mounts"].as_array().cloned().unwrap_or_default();
            mounts.into_iter().find(|mount| mount["Destination"] == "/anonymous").map(|mount| mount["Name"].clone())
        };
        assert!(anonymous(&before).is_some());
        assert_eq!(anonymous(&after), anonymous(&before), "what is in it stays");

        // The original is removed; the configuration is not, not even what a later image happens to have as well.
        assert_eq!(runtime.remove(&original).await, Ok(()));
        assert_eq!(runtime.stop(&next, GRACE).await, Ok(()));
        assert_eq!(runtime.rename(&next, &service, Place::Fallback).await, Ok(()));
        let last = runtime.create(&create(&old, "b", Some(&original))).await.expect("the engine remembers");
        let last = bench.inspect(&last).await;
        assert_eq!(last["HostConfig"]["Binds"], before["HostConfig"]["Binds"]);
        assert_eq!(last["HostConfig"]["RestartPolicy"], before["HostConfig"]["RestartPolicy"]);
        assert!(last["Config"]["Env"].to_string().contains("KEY=value"));
        let containers = runtime.containers(&service).await.expect("it answers");
        assert_eq!(at(&containers, Place::Fallback).map(|one| &one.id), Some(&next));
        assert_eq!(runtime.services().await.map(|services| services.contains_key(&service)), Ok(true));
        let _ = runtime.remove(&next).await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_adopted_is_left_alone() {
    with_engine("leave", |bench| async move {
        let image = bench.image("1", &[]).await;
        let passing = format!("{}-passing", bench.name);
        let mut body = sleeper(&image, Some(&passing));
        body.host_config.get_or_insert_default().auto_remove = Some(true);
        bench.run_by_hand(&passing, body).await;
        let twice = format!("{}-twice", bench.name);
        for n in 1..=2 {
            bench.run_by_hand(&format!("{twice}{n}"), sleeper(&image, Some(&twice))).await;
        }
        let services = bench.adopting().services().await.expect("the others go on");
        assert!(!services.contains_key(&passing), "it would be lost when it stops");
        assert!(!services.contains_key(&twice), "nobody can say which one");
    })
    .await;
}
