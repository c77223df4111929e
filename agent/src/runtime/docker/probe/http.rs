//! Health checks over HTTP.

use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use reqwest::header::HOST;
use reqwest::{Client, Url, redirect};

use super::address;
use crate::fault::{Fault, Reason};

/// Asks an endpoint once. A redirection is an answer, not followed: the status that is expected says which.
pub(super) async fn get(
    service: &str,
    inspected: &ContainerInspectResponse,
    endpoint: &str,
    expected: u16,
    time: Duration,
) -> Result<(), Fault> {
    let mut url = Url::parse(endpoint)
        .map_err(|error| Fault::new(Reason::Configuration, format!("the health check's endpoint: {error}")))?;
    let shown = without_secrets(&url);
    let (host, port) = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(80));
    let there = address::of(service, inspected, &host, port)?;
    let asked = match &there {
        Some((to, port)) => {
            let moved = url.set_host(Some(to)).is_ok() && url.set_port(Some(*port)).is_ok();
            if !moved {
                return Err(Fault::new(Reason::Configuration, format!("{shown} cannot be asked at {to}:{port}")));
            }
            format!("{shown} (at {to}:{port})")
        }
        None => shown,
    };
    let failed = |why: String| Fault::new(Reason::Unhealthy, format!("GET {asked}: {why}"));
    // Whoever set one before is right.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        // A proxy for the registry has no business between the device and its own container.
        .no_proxy()
        .timeout(time)
        // A container is known by its address here; no certificate is for `localhost`.
        .tls_danger_accept_invalid_certs(there.is_some())
        .build()
        .map_err(|error| failed(cause(&error)))?;
    let mut request = client.get(url);
    if there.is_some() {
        request = request.header(HOST, host_header(&host, port, endpoint));
    }
    let answer = request.send().await.map_err(|error| failed(cause(&error)))?;
    let status = answer.status().as_u16();
    if status == expected { Ok(()) } else { Err(failed(format!("expected status {expected}, got {status}"))) }
}

/// The host as the endpoint has it, so that virtual hosts answer as they would.
fn host_header(host: &str, port: u16, endpoint: &str) -> String {
    let usual = if endpoint.starts_with("https:") { 443 } else { 80 };
    if port == usual { host.to_owned() } else { format!("{host}:{port}") }
}

/// A URL without user, password and query: what is in them is for the container only.
fn without_secrets(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// What happened, from the innermost source: the outer texts only say that a request failed.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
