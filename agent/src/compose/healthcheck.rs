//! The health check that the engine itself makes.

use bollard::models::{ContainerCreateBody, HealthConfig};
use docker_compose_types::{Healthcheck, HealthcheckTest};

use super::fields::Fields;
use super::units;

/// Says that there is none, whatever the image has.
const NONE: &str = "NONE";

pub(super) fn read(fields: &mut Fields<'_>, container: &mut ContainerCreateBody) {
    let expected = "test, interval, timeout, retries, start_period, start_interval or disable";
    let Some(check) = fields.typed::<Healthcheck>("healthcheck", expected) else { return };
    if check.disable {
        if check.test.is_some() {
            fields.note("healthcheck.disable", "goes without test");
        }
        container.healthcheck = Some(HealthConfig { test: Some(vec![NONE.to_owned()]), ..HealthConfig::default() });
        return;
    }
    let test = match check.test {
        Some(HealthcheckTest::Single(command)) => Some(vec!["CMD-SHELL".to_owned(), command]),
        Some(HealthcheckTest::Multiple(list)) => {
            if !matches!(list.first().map(String::as_str), Some("CMD" | "CMD-SHELL" | NONE)) {
                fields.note("healthcheck.test", "expected CMD, CMD-SHELL or NONE first");
            }
            Some(list)
        }
        None => None,
    };
    let nanoseconds = |name: &str, text: Option<String>| {
        let read = text.as_deref().map(units::nanoseconds)?;
        read.map_err(|why| fields.note(&format!("healthcheck.{name}"), why)).ok()
    };
    container.healthcheck = Some(HealthConfig {
        test,
        interval: nanoseconds("interval", check.interval),
        timeout: nanoseconds("timeout", check.timeout),
        retries: (check.retries != 0).then_some(check.retries),
        start_period: nanoseconds("start_period", check.start_period),
        start_interval: nanoseconds("start_interval", check.start_interval),
    });
}
