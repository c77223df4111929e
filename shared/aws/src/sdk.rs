//! How AWS is called: where, as whom, with which patience.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::http::{self, Http};

/// Far above what a service next door needs, far below a function's own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// All attempts of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// The wait before a second attempt is random below this, before a third below twice this.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 3;

/// The region and the account that local databases and emulators make up.
const LOCAL_REGION: &str = "us-east-1";
const ANYONE: &str = "test";

/// On a busy machine what is next door is slow, not gone: a call sent twice would be counted twice, or refused.
const LOCAL_TIMEOUT: Duration = Duration::from_mins(1);

/// What clients of AWS are made of. They share connections.
#[derive(Debug, Clone)]
pub struct Sdk {
    pub(crate) config: SdkConfig,
    pub(crate) http: Http,
    /// Whose credentials `config` holds; none where it has none.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) attempt_timeout: Duration,
}

impl Sdk {
    /// Region and credentials as Lambda puts them into a function's environment; `AWS_ENDPOINT_URL` names an emulator.
    /// What is missing is told by the first call.
    pub fn from_env() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let credentials = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        Self::new(
            variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            variable("AWS_ENDPOINT_URL"),
            credentials
                .map(|(id, secret)| Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment")),
            (ATTEMPT_TIMEOUT, CALL_TIMEOUT),
        )
    }

    /// Towards an address, such as `http://127.0.0.1:8000`, that does not check who asks; with the retries of the
    /// functions, and more patience.
    pub fn local(endpoint_url: &str) -> Self {
        let anyone = Credentials::new(ANYONE, ANYONE, None, None, "local");
        let region = Some(LOCAL_REGION.to_owned());
        Self::new(region, Some(endpoint_url.to_owned()), Some(anyone), (LOCAL_TIMEOUT, LOCAL_TIMEOUT))
    }

    fn new(
        region: Option<String>,
        endpoint_url: Option<String>,
        credentials: Option<Credentials>,
        (attempt, call): (Duration, Duration),
    ) -> Self {
        let http = http::client(CONNECT_TIMEOUT);
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(call).build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http::for_sdks(http.clone()))
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            // An attempt's timeout is shorter than its grace.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts)
            .retry_config(retries);
        config.set_region(region.map(Region::new));
        config.set_endpoint_url(endpoint_url);
        config.set_credentials_provider(credentials.clone().map(SharedCredentialsProvider::new));
        Self { config: config.build(), http, credentials, attempt_timeout: attempt }
    }
}
