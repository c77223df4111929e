//! One try of a health check, and the last lines that a container wrote.

mod address;
mod host;
mod http;

use std::time::Duration;

use bollard::models::{ContainerInspectResponse, HealthStatusEnum};
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;
use tidegate_domain::health::{HealthCheck, Place, Probe};
use tokio::net::TcpStream;

use super::exec::Tail;
use super::networks::gone;
use super::{DockerRuntime, found};
use crate::fault::{Fault, Reason};
use crate::runtime::{Checks, ContainerId, State};

/// How long a container has to run on to count as running: one that restarts for ever runs in between.
const SETTLED: Duration = Duration::from_secs(2);

/// Longest wait for a container's last lines: they are told if they can be had.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Checks for DockerRuntime {
    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        let inspected = self.inspect(&id.0).await?.ok_or_else(|| gone(id))?;
        // Whatever is asked, a container that does not run is not well, and its end says more than a refused connection.
        running(&inspected)?;
        match &check.probe {
            Probe::ContainerRunning => {
                // A check that allows less time is asked for less.
                let time = SETTLED.min(Duration::from_secs(check.timeout_seconds.into()) / 2);
                tokio::time::sleep(time).await;
                let later = self.inspect(&id.0).await?.ok_or_else(|| gone(id))?;
                running(&later)?;
                still_running(&inspected, &later)
            }
            Probe::Image => image_says(&inspected),
            Probe::Http { endpoint, expected_status } => {
                let time = Duration::from_secs(check.timeout_seconds.into());
                http::get(service, &inspected, endpoint, *expected_status, time).await
            }
            Probe::Tcp { host, port } => {
                let host = host.as_deref().unwrap_or("localhost");
                let (to, port_there) = match address::of(service, &inspected, host, *port)? {
                    Some(there) => there,
                    None => (host.to_owned(), *port),
                };
                let connected = TcpStream::connect((to.trim_matches(['[', ']']), port_there)).await;
                connected.map(drop).map_err(|error| {
                    Fault::new(Reason::Unhealthy, format!("tcp {host}:{port} (at {to}:{port_there}): {error}"))
                })
            }
            Probe::Custom { command, place: Place::Container } => self.exec(id, command).await,
            Probe::Custom { command, place: Place::Host } => host::run(&self.programs, command, service, id).await,
        }
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        let Ok(docker) = self.connection.docker().await else { return String::new() };
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("20").build();
        let mut lines = docker.logs(&id.0, Some(options));
        let mut tail = Tail::default();
        let reading = async {
            while let Some(Ok(line)) = lines.next().await {
                tail.push(&line.into_bytes());
            }
        };
        // What came until then is told.
        let _ = tokio::time::timeout(LAST_WORDS, reading).await;
        tail.text()
    }
}

fn running(inspected: &ContainerInspectResponse) -> Result<(), Fault> {
    let why = match found::state(inspected) {
        State::Running => return Ok(()),
        State::Created => "the container was never started".to_owned(),
        State::Restarting(code) => format!("the container ended with {code} and is started again and again"),
        State::Exited(code) => format!("the container ended with {code}"),
    };
    Err(Fault::new(Reason::ExitsAtOnce, why))
}

/// Whether it is the same run of the container at both times.
fn still_running(before: &ContainerInspectResponse, after: &ContainerInspectResponse) -> Result<(), Fault> {
    let run =
        |inspected: &ContainerInspectResponse| inspected.state.as_ref().and_then(|state| state.started_at.clone());
    if run(before) == run(after) {
        return Ok(());
    }
    let count = after.restart_count.unwrap_or_default();
    Err(Fault::new(Reason::ExitsAtOnce, format!("the container ends and is started again ({count} times)")))
}

/// What the image's own HEALTHCHECK says.
fn image_says(inspected: &ContainerInspectResponse) -> Result<(), Fault> {
    let health = inspected.state.as_ref().and_then(|state| state.health.as_ref());
    let why = match health.and_then(|health| health.status) {
        Some(HealthStatusEnum::HEALTHY) => return Ok(()),
        Some(HealthStatusEnum::STARTING) => "the image's HEALTHCHECK has not said yet (starting)".to_owned(),
        Some(HealthStatusEnum::UNHEALTHY) => {
            let log = health.and_then(|health| health.log.as_ref());
            let said = log.and_then(|log| log.last()).and_then(|last| last.output.as_deref()).unwrap_or_default();
            format!("the image's HEALTHCHECK says unhealthy: {}", said.trim())
        }
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => {
            "the image has no HEALTHCHECK, or it is disabled; use another type of health check".to_owned()
        }
    };
    Err(Fault::new(Reason::Unhealthy, why))
}

#[cfg(test)]
mod tests;
