//! One-time wake-ups on EventBridge Scheduler.

use std::sync::OnceLock;

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;
use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target};
use aws_types::SdkConfig;
use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;
use tidegate_engine::ports::{Job, QueueError, Scheduler};

/// Where schedules live and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleTarget {
    /// The schedule group of the stack.
    pub group: String,
    /// The role that may send to the queue.
    pub role_arn: String,
    /// The step queue.
    pub queue_arn: String,
}

/// Schedules that send to the step queue and then delete themselves.
#[derive(Debug, Clone)]
pub struct EventBridgeScheduler {
    sdk: SdkConfig,
    client: OnceLock<Client>,
    target: ScheduleTarget,
}

impl EventBridgeScheduler {
    /// In a group, with a role, towards a queue.
    pub fn new(sdk: &SdkConfig, target: ScheduleTarget) -> Self {
        Self { sdk: sdk.clone(), client: OnceLock::new(), target }
    }
}

#[async_trait]
impl Scheduler for EventBridgeScheduler {
    async fn step_at(&self, rollout_id: &RolloutId, at: Timestamp) -> Result<(), QueueError> {
        let second = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
        let at = Timestamp::from_second(second).map_err(|error| QueueError(Box::new(error)))?;
        let job = Job::Step { rollout_id: rollout_id.clone() };
        let input = serde_json::to_string(&job).map_err(|error| QueueError(Box::new(error)))?;
        let target = Target::builder().arn(&self.target.queue_arn).role_arn(&self.target.role_arn).input(input);
        let target = target.build().map_err(|error| QueueError(Box::new(error)))?;
        let exact = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off);
        let exact = exact.build().map_err(|error| QueueError(Box::new(error)))?;
        let client = self.client.get_or_init(|| Client::new(&self.sdk));
        let call = client.create_schedule().group_name(&self.target.group).name(name(rollout_id, second));
        let call = call.schedule_expression(expression(at)).schedule_expression_timezone("UTC");
        let call = call.flexible_time_window(exact).action_after_completion(ActionAfterCompletion::Delete);
        match call.target(target).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // The name says which rollout and when: whoever made it made this one.
                Some(CreateScheduleError::ConflictException(_)) => Ok(()),
                Some(_) | None => Err(QueueError(Box::new(error))),
            },
        }
    }
}

fn name(rollout_id: &RolloutId, second: i64) -> String {
    format!("{rollout_id}-{second}")
}

/// A one-time schedule: <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>.
fn expression(at: Timestamp) -> String {
    format!("at({})", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_named_and_timed_to_the_second() {
        let at: Timestamp = "2026-03-29T01:30:05Z".parse().unwrap();
        assert_eq!(expression(at), "at(2026-03-29T01:30:05)");
        let name = name(&RolloutId::new(at, u128::MAX), at.as_second());
        assert!(name.len() <= 64, "{name}");
    }
}
