//! The log of a service's container, as its engine keeps it.

use std::io::Write;

use anyhow::Context;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt;

use crate::cli::doctor::runtime::connect;
use crate::cli::run;
use crate::config::Config;
use crate::runtime::{Place, Services as _};

/// Writes its last lines to standard output and standard error, and what comes.
pub(super) async fn show(config: &Config, service: &str, lines: usize, follow: bool) -> anyhow::Result<()> {
    let live = run::runtime(config)?.containers(service).await?.into_iter().find(|one| one.place == Place::Live);
    let Some(live) = live else { anyhow::bail!("no container of the service {service} is on this device") };
    let runtime = connect(&config.engine.address)?;
    let options =
        LogsOptionsBuilder::default().stdout(true).stderr(true).follow(follow).tail(&lines.to_string()).build();
    let mut said = runtime.logs(&live.id.0, Some(options));
    while let Some(part) = said.next().await {
        let part = part.with_context(|| format!("the engine does not tell the log of {service}"))?;
        let written = match part {
            LogOutput::StdErr { message } => std::io::stderr().write_all(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                std::io::stdout().write_all(&message)
            }
        };
        if written.is_err() {
            // Nobody reads any more.
            return Ok(());
        }
    }
    Ok(())
}
