//! The functions' configuration, from their environment. The template sets every variable that is named here.

mod reader;

use tidegate_domain::health::HealthDefaults;
use tidegate_domain::image::AllowedRegistries;
use tidegate_domain::pace::Pace;
use tidegate_domain::policy::{Batches, PolicyDefaults, Rate, Strategy};
use tidegate_engine::settings::RETENTION_DAYS;

pub(crate) use self::reader::Reader;
pub use self::reader::{ConfigError, VariableError};
use crate::scheduler::ScheduleTarget;

/// Everything that a function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the stack's physical table names begin with.
    pub table_prefix: String,
    /// Queue of the rollout step.
    pub step_queue_url: String,
    /// Queue of planning, deadlines and look-ups.
    pub batch_queue_url: String,
    /// Where events are published.
    pub event_bus: String,
    /// Where wake-ups are made.
    pub schedule: ScheduleTarget,
    /// What holds where a policy says nothing.
    pub policy: PolicyDefaults,
    /// When devices poll.
    pub pace: Pace,
    /// For how many days after its end a rollout's details are kept.
    pub retention_days: u32,
    /// Where the secrets are, for functions that need them.
    pub secrets: SecretsPlace,
}

/// Longest that a secret is kept before it is read again: how late a rotation can be.
const SECRETS_KEPT_MAX: u32 = 300;

/// One secret of Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsPlace {
    /// Its ARN or name; functions that recognise nobody and ask nobody have none.
    pub arn: Option<String>,
    /// How long what it says is kept.
    pub kept_seconds: u32,
    /// Another Secrets Manager than the region's.
    pub endpoint_url: Option<String>,
}

impl Config {
    /// From this process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&|name| std::env::var(name).ok())
    }

    /// From any source of variables. An empty value is none. Reports every mistake at once.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variable);
        let config = Self {
            table_prefix: reader.required("TABLE_PREFIX"),
            step_queue_url: reader.required("STEP_QUEUE_URL"),
            batch_queue_url: reader.required("BATCH_QUEUE_URL"),
            event_bus: reader.required("EVENT_BUS_NAME"),
            schedule: ScheduleTarget {
                group: reader.required("SCHEDULER_GROUP"),
                role_arn: reader.required("SCHEDULER_ROLE_ARN"),
                queue_arn: reader.required("STEP_QUEUE_ARN"),
            },
            policy: policy(&mut reader),
            pace: pace(&mut reader),
            retention_days: reader.number("RETENTION_DAYS", RETENTION_DAYS, 31, 3650),
            secrets: SecretsPlace {
                arn: reader.parsed("SECRETS_ARN", None, |text| Ok::<_, String>(Some(text.to_owned()))),
                kept_seconds: reader.number("SECRETS_KEPT_SECONDS", SECRETS_KEPT_MAX, 1, SECRETS_KEPT_MAX),
                endpoint_url: reader
                    .parsed("AWS_ENDPOINT_URL_SECRETS_MANAGER", None, |text| Ok::<_, String>(Some(text.to_owned()))),
            },
        };
        reader.finish(config).map_err(ConfigError)
    }
}

fn policy(reader: &mut Reader<'_>) -> PolicyDefaults {
    let mission = PolicyDefaults::default();
    let check = mission.health_check;
    let minutes = mission.batch_delay_seconds / 60;
    let minute = 60;
    PolicyDefaults {
        update_strategy: reader.parsed("DEFAULT_STRATEGY", mission.update_strategy, |text| {
            let words = Strategy::ALL.iter().map(|strategy| strategy.as_str()).collect::<Vec<_>>().join(", ");
            Strategy::parse(text).ok_or_else(|| format!("expected one of {words}"))
        }),
        staged_batches: reader.parsed("STAGED_BATCHES", mission.staged_batches, Batches::parse),
        batch_delay_seconds: reader.number("BATCH_DELAY_MINUTES", minutes, 0, u32::MAX / minute) * minute,
        health_check_timeout_seconds: reader
            .seconds("HEALTH_CHECK_TIMEOUT_SECONDS", mission.health_check_timeout_seconds),
        health_check: HealthDefaults {
            retry_count: reader.number("HEALTH_CHECK_RETRIES", check.retry_count, 0, u32::MAX),
            interval_seconds: reader.seconds("HEALTH_CHECK_INTERVAL_SECONDS", check.interval_seconds),
        },
        max_failure_rate: reader.parsed("MAX_FAILURE_RATE", mission.max_failure_rate, Rate::parse),
        max_consecutive_failures: reader.number(
            "MAX_CONSECUTIVE_FAILURES",
            mission.max_consecutive_failures,
            1,
            u32::MAX,
        ),
        auto_rollback: reader
            .parsed("AUTO_ROLLBACK", mission.auto_rollback, |text| text.parse().map_err(|_| "expected true or false")),
        rollback_timeout_seconds: reader.seconds("ROLLBACK_TIMEOUT_SECONDS", mission.rollback_timeout_seconds),
        allowed_registries: reader
            .parsed("ALLOWED_REGISTRIES", mission.allowed_registries, |text| AllowedRegistries::parse(text).map(Some)),
    }
}

fn pace(reader: &mut Reader<'_>) -> Pace {
    Pace {
        idle_seconds: reader.seconds("POLL_IDLE_SECONDS", 300),
        near_seconds: reader.seconds("POLL_NEAR_SECONDS", 30),
    }
}

#[cfg(test)]
mod tests;
