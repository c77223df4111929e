//! The target state's description. The state itself is the domain's: its hash is over the very bytes that are sent.

#![expect(dead_code, reason = "these types are read by the description alone")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::health_check::HealthCheckSchema;
use crate::schemas::{forms, words};

/// What a device should run.
#[derive(ToSchema)]
#[schema(as = TargetState, example = json!({
    "device_uuid": "01935f2c-7c1e-7b7a-9d6a-0d6c1c2f7b11",
    "services": {"web": {
        "image": "docker.io/iotistic/app:v2.0.1",
        "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "health_check": {
            "type": "http", "endpoint": "http://localhost:8080/health", "expected_status": 200,
            "timeout_seconds": 30, "retry_count": 3, "interval_seconds": 10,
        },
        "rollout": {
            "rollout_id": "01JDE8Z0V4Q6W3T5X7Y9A1B2C3", "batch": 1, "attempt": 1, "action": "update",
            "phase": "download", "previous": {"image": "docker.io/iotistic/app:v1.0.0"}, "auto_rollback": true,
            "healthy_for_seconds": 60, "health_check_timeout_seconds": 300, "deadline_seconds": 900,
        },
    }},
}))]
pub(crate) struct TargetStateSchema {
    /// The device.
    #[schema(format = Uuid)]
    device_uuid: String,
    /// By service name.
    services: BTreeMap<String, ServiceTargetSchema>,
}

/// What one service should run.
#[derive(ToSchema)]
#[schema(as = ServiceTarget)]
struct ServiceTargetSchema {
    /// The reference.
    image: String,
    /// The content, wherever it is known.
    #[schema(value_type = Option<forms::Digest>)]
    digest: Option<String>,
    /// How the device finds out whether it is healthy; absent where checks are off.
    health_check: Option<HealthCheckSchema>,
    /// There only while the service is to move in a rollout. A target without it that differs from what runs is
    /// converged to all the same.
    rollout: Option<MoveSchema>,
}

/// A service's move in a rollout.
#[derive(ToSchema)]
#[schema(as = Move)]
struct MoveSchema {
    /// The rollout.
    rollout_id: forms::RolloutId,
    /// The batch that the device counts in.
    batch: u32,
    /// Raised for each repeated way back.
    attempt: u8,
    /// Which way.
    action: words::MoveAction,
    /// How far.
    phase: words::MovePhase,
    /// Where the way back leads.
    previous: Option<PreviousSchema>,
    /// Whether the device goes back by itself when it fails.
    auto_rollback: bool,
    /// How long it must be healthy.
    healthy_for_seconds: u32,
    /// All tries of the check, from container start to verdict.
    health_check_timeout_seconds: u32,
    /// From swap to verdict, the way back included.
    deadline_seconds: u32,
}

/// The image that a service goes back to.
#[derive(ToSchema)]
#[schema(as = PreviousImage)]
struct PreviousSchema {
    /// The reference.
    image: String,
    /// The content, wherever it is known.
    #[schema(value_type = Option<forms::Digest>)]
    digest: Option<String>,
}
