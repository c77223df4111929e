//! A digest that a policy keeps out.

use serde::Serialize;
use tidegate_domain::head::KeptOut;
use utoipa::ToSchema;

/// A policy that keeps a digest out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = KeptOut)]
pub(crate) struct KeptOutView {
    /// Its name, or its id where no name is known.
    policy: String,
    /// Why.
    #[schema(example = "rollback-all: 12 devices do not start")]
    reason: String,
}

impl From<KeptOut> for KeptOutView {
    fn from(kept: KeptOut) -> Self {
        Self { policy: kept.policy, reason: kept.reason }
    }
}
