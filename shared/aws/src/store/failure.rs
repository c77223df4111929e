//! DynamoDB's errors as the port has them: what refused, what may be tried again, what never helps.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use tidegate_engine::ports::{StoreError, WriteError};

use super::attempts::Attempts;
use super::item::ItemError;
use crate::failure::{Failed, may_pass};

/// A call that no store accepts.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCall {
    #[error(transparent)]
    Item(#[from] ItemError),
    #[error("{0} changes nothing")]
    Nothing(String),
    #[error("the update of {0} changes its key")]
    KeyChange(String),
    #[error("{0} has a sort key and is never scanned")]
    Scan(&'static str),
}

/// A write that was refused after more than one attempt.
#[derive(Debug, thiserror::Error)]
#[error("the condition did not hold after a repeated attempt, whose first may have been the write itself")]
struct Echo;

pub(super) fn rejected(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Rejected(Box::new(error))
}

pub(super) fn store_error<E: Failed>(error: SdkError<E>) -> StoreError {
    if may_pass(&error) { StoreError::Unavailable(Box::new(error)) } else { StoreError::Rejected(Box::new(error)) }
}

/// The failure of a write on its own.
pub(super) fn write_error<E: Failed>(error: SdkError<E>, attempts: &Attempts) -> WriteError {
    match error.code() {
        Some("ConditionalCheckFailedException") if attempts.repeated() => {
            WriteError::Store(StoreError::Unavailable(Box::new(Echo)))
        }
        Some("ConditionalCheckFailedException") => WriteError::Refused(0),
        Some("TransactionConflictException") => WriteError::Conflict,
        _ => store_error(error).into(),
    }
}

/// The failure of a transaction.
pub(super) fn transaction_error(error: SdkError<TransactWriteItemsError>) -> WriteError {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return store_error(error).into();
    };
    match Canceled::by(canceled.cancellation_reasons()) {
        Canceled::Refusal(position) => WriteError::Refused(position),
        Canceled::Conflict => WriteError::Conflict,
        Canceled::Throttling => StoreError::Unavailable(Box::new(error)).into(),
        Canceled::Mistake => StoreError::Rejected(Box::new(error)).into(),
    }
}

/// Why a transaction was canceled.
#[derive(Debug, PartialEq, Eq)]
enum Canceled {
    /// The condition of the write at this position did not hold.
    Refusal(usize),
    /// The transaction itself is wrong.
    Mistake,
    /// Another write held one of the items.
    Conflict,
    /// Too much at once.
    Throttling,
}

impl Canceled {
    /// Of several reasons a refusal comes first, since it is an answer, and what cannot pass before what can.
    /// Codes: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>.
    fn by(reasons: &[CancellationReason]) -> Self {
        let position =
            |codes: &[&str]| reasons.iter().position(|reason| reason.code().is_some_and(|code| codes.contains(&code)));
        if let Some(refused) = position(&["ConditionalCheckFailed"]) {
            Self::Refusal(refused)
        } else if position(&["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"]).is_some() {
            Self::Mistake
        } else if position(&["TransactionConflict"]).is_some() {
            Self::Conflict
        } else {
            Self::Throttling
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_a_cancelation_are_ranked() {
        let cases: &[(&[&str], Canceled)] = &[
            (&["None", "ConditionalCheckFailed", "ConditionalCheckFailed"], Canceled::Refusal(1)),
            (&["TransactionConflict", "ConditionalCheckFailed"], Canceled::Refusal(1)),
            (&["TransactionConflict", "ValidationError"], Canceled::Mistake),
            (&["None", "TransactionConflict"], Canceled::Conflict),
            (&["ThrottlingError", "None"], Canceled::Throttling),
            (&["ProvisionedThroughputExceeded"], Canceled::Throttling),
        ];
        for (codes, expected) in cases {
            let reasons: Vec<_> = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
            assert_eq!(Canceled::by(&reasons), *expected, "{codes:?}");
        }
    }
}
