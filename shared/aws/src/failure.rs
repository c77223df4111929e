//! Failures in words, and which of an AWS call may pass by themselves.

use std::error::Error;
use std::fmt::Write as _;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// An error with its sources, in words.
pub(crate) fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(words, ": {cause}");
        source = cause.source();
    }
    words
}

/// An operation's error.
pub(crate) trait Failed: ProvideErrorMetadata + Error + Send + Sync + 'static {}

impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> Failed for E {}

/// Codes of refusals that pass: throttling, and transactions in progress.
const PASSING: [&str; 7] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ThrottlingException",
    "TransactionInProgressException",
    "LimitExceededException",
];

/// Whether the same call may succeed later: it got no answer, was throttled, or the service failed.
pub(crate) fn may_pass<E: Failed>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(service) => {
            service.raw().status().is_server_error() || error.code().is_some_and(|code| PASSING.contains(&code))
        }
        // No answer, or none that can be read (the type is open for kinds to come).
        _ => true,
    }
}
