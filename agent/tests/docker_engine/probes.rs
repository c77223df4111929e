//! Every kind of health check, on a container that is well and on one that is not.

use tidegate_agent::compose;
use tidegate_agent::fault::Reason;
use tidegate_agent::runtime::{Checks as _, Containers as _, Place};
use tidegate_domain::health::{Place as Where, Probe};

use super::bench::{check, until_well, with_engine};

const TEXT: &str = "
name: NAME
services:
  web:
    image: IMAGE
    command: [/bin/httpd, -f, -p, '80', -h, /www]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD, /bin/test, -e, /www/index.html], interval: 1s, start_period: 0s}
  sick:
    image: IMAGE
    command: [/bin/sleep, '600']
    stop_signal: SIGKILL
    healthcheck: {test: [CMD-SHELL, 'echo no pump; exit 1'], interval: 1s, retries: 1}
  looping:
    image: IMAGE
    command: [/bin/false]
    restart: always
";

#[tokio::test]
async fn what_each_kind_says() {
    with_engine("probe", |bench| async move {
        let image = bench.image("1", &[]).await;
        let text = TEXT.replace("NAME", &bench.name).replace("IMAGE", &image.image);
        let project =
            compose::parse(&bench.folder.join("compose.yaml"), &text, None, &std::collections::BTreeMap::new());
        let runtime = bench.runtime(Some(project.expect("it is well formed")), &["/bin/sh"]);
        let mut ids = std::collections::BTreeMap::new();
        for service in ["web", "sick", "looping"] {
            let id = bench.create(&runtime, service, &image, Place::Live, "a").await.expect("it can be made");
            assert_eq!(runtime.start(&id).await, Ok(()));
            ids.insert(service, id);
        }
        let http =
            |path: &str, expected_status| Probe::Http { endpoint: format!("http://localhost{path}"), expected_status };
        let custom = |place, command: &[&str]| Probe::Custom {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            place,
        };
        let tcp = |port| Probe::Tcp { host: None, port };
        for probe in [
            Probe::ContainerRunning,
            Probe::Image,
            http("/index.html", 200),
            http("/none", 404),
            tcp(80),
            Probe::Tcp { host: Some("web".to_owned()), port: 80 },
            custom(Where::Container, &["/bin/test", "-e", "/www/index.html"]),
            custom(Where::Host, &["/bin/sh", "-c", "test $TIDEGATE_SERVICE = web"]),
        ] {
            until_well(&runtime, "web", &ids["web"], probe).await;
        }
        let wrong = [
            ("web", http("/none", 200), Reason::Unhealthy, "expected status 200, got 404"),
            ("web", tcp(81), Reason::Unhealthy, "refused"),
            (
                "web",
                custom(Where::Container, &["/bin/sh", "-c", "echo cold; exit 7"]),
                Reason::Unhealthy,
                "ended with 7: cold",
            ),
            ("web", custom(Where::Host, &["/bin/sh", "-c", "exit 7"]), Reason::Unhealthy, "ended with 7"),
            ("web", custom(Where::Host, &["/bin/cat", "/etc/shadow"]), Reason::Configuration, "/bin/cat is not among"),
        ];
        for (service, probe, reason, expected) in wrong {
            let fault = runtime.probe(service, &ids[service], &check(probe)).await.expect_err(expected);
            assert_eq!(fault.reason, reason, "{fault}");
            assert!(fault.why.contains(expected), "{expected}: {fault}");
        }
        let mut last = String::new();
        for _ in 0..60 {
            last = runtime.probe("sick", &ids["sick"], &check(Probe::Image)).await.expect_err("it is never well").why;
            if last.contains("unhealthy: no pump") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        assert!(last.contains("unhealthy: no pump"), "{last}");
        let fault =
            runtime.probe("looping", &ids["looping"], &check(Probe::ContainerRunning)).await.expect_err("it loops");
        assert_eq!(fault.reason, Reason::ExitsAtOnce, "{fault}");
        let fault =
            runtime.probe("looping", &ids["looping"], &check(Probe::Image)).await.expect_err("it has none, and loops");
        assert!(matches!(fault.reason, Reason::ExitsAtOnce | Reason::Unhealthy), "{fault}");
    })
    .await;
}
