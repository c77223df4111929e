//! How a function starts: its logs, its configuration, its ports. Done once for each process, before its first event.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use jiff::Timestamp;
use tidegate_domain::text::shown_json;
use tidegate_engine::ports::{Meter, Ports};
use tracing_subscriber::EnvFilter;

use crate::bus::EventBridgeBus;
use crate::config::{Config, ConfigError};
use crate::entropy::SystemEntropy;
use crate::queues::SqsQueues;
use crate::registry::HttpRegistry;
use crate::scheduler::EventBridgeScheduler;
use crate::store::DynamoStore;
use crate::tables::TableNames;

/// Far above what a service next door needs, far below a function's own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// All attempts of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// The wait before a second attempt is random below this, before a third below twice this.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 3;

/// A function cannot start; it is the environment that must change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables are missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client of registries cannot be built.
    #[error("the registry client cannot be built")]
    Registry(#[from] reqwest::Error),
}

/// What a function has once it is started.
#[derive(Clone)]
pub struct Started {
    /// The world.
    pub ports: Ports,
    /// What it was told.
    pub config: Config,
    /// The stack's physical tables.
    pub tables: TableNames,
    /// What the store's calls have cost.
    pub meter: Arc<Meter>,
}

/// Starts a function of this process's environment: JSON logs, configuration, ports.
pub async fn start() -> Result<Started, StartError> {
    json_logs();
    let config = Config::from_env()?;
    Ok(connect(config, &sdk_config().await)?)
}

/// The ports of a stack, over a given SDK configuration.
pub fn connect(config: Config, sdk: &SdkConfig) -> Result<Started, reqwest::Error> {
    let tables = TableNames::new(&config.table_prefix);
    let store = DynamoStore::new(aws_sdk_dynamodb::Client::new(sdk), tables.clone());
    let meter = store.meter();
    let sqs = aws_sdk_sqs::Client::new(sdk);
    let scheduler = aws_sdk_scheduler::Client::new(sdk);
    let ports = Ports {
        store: Arc::new(store),
        queues: Arc::new(SqsQueues::new(sqs, &config.step_queue_url, &config.batch_queue_url)),
        scheduler: Arc::new(EventBridgeScheduler::new(scheduler, config.schedule.clone())),
        bus: Arc::new(EventBridgeBus::new(aws_sdk_eventbridge::Client::new(sdk), &config.event_bus)),
        registry: Arc::new(HttpRegistry::new(config.registries.clone())?),
        entropy: Arc::new(SystemEntropy),
    };
    Ok(Started { ports, config, tables, meter })
}

/// Region, credentials and endpoint of the environment (`AWS_ENDPOINT_URL` among them).
pub async fn sdk_config() -> SdkConfig {
    patient(aws_config::defaults(BehaviorVersion::latest())).load().await
}

/// With timeouts, and retries whose waits are random.
pub(crate) fn patient(loader: ConfigLoader) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
    loader.timeout_config(timeouts).retry_config(retries)
}

/// One JSON object a line, filtered by `RUST_LOG` (default `info`). A second call changes nothing.
pub fn json_logs() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(true).with_span_list(false);
    // Lambda stamps every line with its time.
    let logs = logs.without_time().with_target(false).with_env_filter(filter).with_writer(|| HarmlessLines);
    if logs.try_init().is_err() {
        tracing::debug!("logs were set up before");
    }
}

/// Standard output, for lines of JSON. What others wrote is in JSON's own escapes: a log is read in terminals, too.
struct HarmlessLines;

impl io::Write for HarmlessLines {
    /// Takes a whole line: the logs are written one at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stdout().write_all(shown_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// The time now: read once for each invocation and handed on.
pub fn now() -> Timestamp {
    Timestamp::now()
}
