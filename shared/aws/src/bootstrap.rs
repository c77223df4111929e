//! How a function starts: its logs, its configuration, its ports. Done once for each process, before its first event.

use std::io;
use std::sync::Arc;

use jiff::SignedDuration;
use tidegate_domain::text::shown_json;
use tidegate_engine::ports::{Meter, Ports};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, ConfigError};
use crate::sdk::Sdk;
use crate::secrets::Secrets;
use crate::tables::TableNames;
use crate::wiring::{Parts, Wiring};

/// What a function has once it is started.
#[derive(Clone)]
pub struct Started {
    /// The world.
    pub ports: Ports,
    /// What it was told.
    pub config: Config,
    /// The stack's secrets, where the function is told of them.
    pub secrets: Option<Arc<Secrets>>,
    /// The stack's physical tables.
    pub tables: TableNames,
    /// What the store's calls have cost.
    pub meter: Arc<Meter>,
}

/// Starts a function of this process's environment: JSON logs, configuration, the ports that it uses.
pub fn start(wiring: Wiring) -> Result<Started, ConfigError> {
    json_logs();
    let config = Config::from_env()?;
    Ok(connect(config, &Sdk::from_env(), wiring))
}

/// The ports of a stack, over AWS or what stands in for it.
pub fn connect(config: Config, sdk: &Sdk, wiring: Wiring) -> Started {
    let tables = TableNames::new(&config.table_prefix);
    let secrets = config.secrets.arn.as_ref().map(|arn| {
        let kept = SignedDuration::from_secs(i64::from(config.secrets.kept_seconds));
        Arc::new(Secrets::new(&sdk.config, config.secrets.endpoint_url.clone(), arn, kept))
    });
    let (ports, meter) = wiring.ports(&Parts { sdk, config: &config, tables: &tables, secrets: secrets.as_ref() });
    Started { ports, config, secrets, tables, meter }
}

/// The target of lines that alarms count: logged whatever `RUST_LOG` says.
pub const ALWAYS_LOGGED: &str = "tidegate_always";

/// One JSON object a line, filtered by `RUST_LOG` (default `info`). A second call changes nothing.
pub fn json_logs() {
    let filter = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let filter = filter.with_target(ALWAYS_LOGGED, LevelFilter::INFO);
    let logs =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    // Lambda stamps every line with its time.
    let logs = logs.without_time().with_target(false).with_writer(|| HarmlessLines(io::stdout())).with_filter(filter);
    if tracing_subscriber::registry().with(logs).try_init().is_err() {
        tracing::debug!("logs were set up before");
    }
}

/// Takes lines of JSON, one at a time. What others wrote is passed on in JSON's own escapes: a log is read in terminals,
/// too.
struct HarmlessLines<W>(W);

impl<W: io::Write> io::Write for HarmlessLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(shown_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_line_acts_on_no_terminal_and_means_the_same() {
        let told = serde_json::json!({"message": "\u{1b}]0;owned\u{7} \u{9b}2J \u{202e} \r\n forged \u{2066}", "rollout": "x"});
        let mut lines = HarmlessLines(Vec::new());
        writeln!(lines, "{told}").expect("written");
        let line = String::from_utf8(lines.0).expect("text");
        assert!(line.ends_with('\n') && !line.trim_end().chars().any(tidegate_domain::text::is_unseen), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("still JSON"), told);
    }
}
