//! The new container beside the old one, each at its own port, and the change of places.

use tidegate_agent::fault::Reason;
use tidegate_agent::runtime::{Containers as _, Create, Place, Services as _};
use tidegate_domain::health::Probe;

use super::bench::{GRACE, at, until_well, with_engine};

#[tokio::test]
async fn side_by_side_then_in_its_place() {
    with_engine("green", |bench| async move {
        let serve = ["CMD [\"/bin/httpd\",\"-f\",\"-p\",\"80\",\"-h\",\"/www\"]"];
        let (old, new) = (bench.image("1", &serve).await, bench.image("2", &serve).await);
        let first = free_pair();
        let runtime = bench.declaring(&format!(
            "services:\n  web:\n    image: '{}'\n    stop_signal: SIGKILL\n    ports: ['127.0.0.1:{first}-{}:80']\n    labels: {{tidegate.update-strategy: blue-green}}\n",
            old.image,
            first + 1
        ));
        let create = |image, place, serves| Create { service: "web", image, place, like: None, created_for: "a", serves };
        let blue = runtime.create(&create(&old, Place::Live, true)).await.expect("it can be made");
        assert_eq!(runtime.start(&blue).await, Ok(()));
        let green = runtime.create(&create(&new, Place::Next, false)).await.expect("it can be made beside");
        assert_eq!(runtime.start(&green).await, Ok(()));

        // One endpoint, and each container is asked at its own port.
        let endpoint = format!("http://localhost:{first}/");
        for id in [&blue, &green] {
            until_well(&runtime, "web", id, Probe::Http { endpoint: endpoint.clone(), expected_status: 200 }).await;
        }
        let network = format!("{}_default", bench.name);
        let aliases = |inspected: &serde_json::Value| inspected["NetworkSettings"]["Networks"][&network]["Aliases"].to_string();
        assert!(!aliases(&bench.inspect(&green).await).contains("\"web\""), "it does not serve yet");

        for _ in 0..2 {
            assert_eq!(runtime.serve(&green, "web").await, Ok(()));
        }
        assert!(aliases(&bench.inspect(&green).await).contains("\"web\""));
        until_well(&runtime, "web", &green, Probe::Http { endpoint, expected_status: 200 }).await;
        assert_eq!(runtime.stop(&blue, GRACE).await, Ok(()));
        assert_eq!(runtime.rename(&blue, "web", Place::Fallback).await, Ok(()));
        assert_eq!(runtime.rename(&green, "web", Place::Live).await, Ok(()));
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(at(&containers, Place::Live).map(|one| &one.id), Some(&green));
        assert_eq!(at(&containers, Place::Fallback).map(|one| &one.id), Some(&blue));
    })
    .await;
}

#[tokio::test]
async fn there_is_no_room_for_two() {
    with_engine("room", |bench| async move {
        let image = bench.image("1", &[]).await;
        let runtime = bench.declaring(&format!("services: {{web: {{image: '{}', ports: ['8080:80']}}}}", image.image));
        let create =
            Create { service: "web", image: &image, place: Place::Next, like: None, created_for: "a", serves: false };
        let fault = runtime.create(&create).await.expect_err("both want the port");
        assert_eq!(fault.reason, Reason::Configuration);
        assert!(fault.why.contains("host port 8080") && fault.why.contains("8080-8081:80"), "{fault}");
    })
    .await;
}

/// Two free ports in a row.
fn free_pair() -> u16 {
    for _ in 0..100 {
        let one = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = one.local_addr().expect("it has one").port();
        if port < u16::MAX && std::net::TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no two free ports in a row");
}
