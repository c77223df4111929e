//! The names of everything that happens.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! events {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every event of this kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The full name, as it is shown and published.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => concat!($prefix, $text),)+ }
            }

            /// The event of this full name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|event| event.name() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

events! {
    /// What happens to a rollout.
    ImageEvent, "image.", {
        /// A registry's delivery was accepted.
        WebhookReceived = "webhook_received",
        /// A policy matches the pushed image.
        UpdateAvailable = "update_available",
        /// A push is older than what the policy was told of already, or was overtaken by it behind the queue: nothing was
        /// rolled out. It can be replayed.
        UpdateStale = "update_stale",
        /// A person's trigger passes over safeguards of the policy; it says which, and why.
        PolicyOverridden = "policy_overridden",
        /// The rollout began.
        RolloutStarted = "rollout_started",
        /// A batch was opened.
        RolloutBatchStarted = "rollout_batch_started",
        /// Every device of a batch has settled, at least one of them healthy.
        RolloutBatchCompleted = "rollout_batch_completed",
        /// Every batch is done.
        RolloutCompleted = "rollout_completed",
        /// Too many failures (with a pause), or nothing to go on with.
        RolloutFailed = "rollout_failed",
        /// Rollback of everything began.
        RollbackStarted = "rollback_started",
        /// Every device that was offered the image is back on its own old one, or listed.
        RollbackCompleted = "rollback_completed",
        /// No new offers until resumed.
        RolloutPaused = "rollout_paused",
        /// Offers go on.
        RolloutResumed = "rollout_resumed",
        /// No new offers, for good.
        RolloutCancelled = "rollout_cancelled",
        /// A newer image took its place.
        RolloutSuperseded = "rollout_superseded",
        /// A person said yes.
        RolloutApproved = "rollout_approved",
        /// A person said no.
        RolloutRejected = "rollout_rejected",
        /// Nobody said anything in time.
        RolloutExpired = "rollout_expired",
    }
}

events! {
    /// What happens on one device.
    DeviceEvent, "device.", {
        /// The device has its place in a rollout.
        ImageUpdateScheduled = "image_update_scheduled",
        /// It fetches the image.
        ImagePulling = "image_pulling",
        /// It has the image.
        ImagePulled = "image_pulled",
        /// It replaces the container.
        ContainerUpdating = "container_updating",
        /// The new container runs.
        UpdateCompleted = "update_completed",
        /// It could not update.
        UpdateFailed = "update_failed",
        /// The new container is healthy.
        HealthCheckPassed = "health_check_passed",
        /// The new container is not.
        HealthCheckFailed = "health_check_failed",
        /// It runs its old image again.
        RolledBack = "rolled_back",
        /// It was not seen within the grace.
        UpdateDeferred = "update_deferred",
        /// A lock on the device holds the update.
        UpdateBlocked = "update_blocked",
        /// It was silent for too long.
        UpdateTimedOut = "update_timed_out",
        /// It takes no part.
        UpdateSkipped = "update_skipped",
        /// It could not go back.
        RollbackFailed = "rollback_failed",
        /// It has a new token.
        Reenrolled = "reenrolled",
    }
}

impl DeviceEvent {
    /// Whether a device can tell this event of itself.
    pub const fn told_by_devices(self) -> bool {
        match self {
            Self::ImagePulling
            | Self::ImagePulled
            | Self::ContainerUpdating
            | Self::UpdateCompleted
            | Self::UpdateFailed
            | Self::HealthCheckPassed
            | Self::HealthCheckFailed
            | Self::RolledBack
            | Self::UpdateBlocked
            | Self::UpdateDeferred
            | Self::UpdateSkipped
            | Self::RollbackFailed => true,
            Self::ImageUpdateScheduled | Self::UpdateTimedOut | Self::Reenrolled => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for event in ImageEvent::ALL {
            assert_eq!(ImageEvent::parse(event.name()), Some(*event));
        }
        for event in DeviceEvent::ALL {
            assert_eq!(DeviceEvent::parse(event.name()), Some(*event));
        }
        assert_eq!(DeviceEvent::RolledBack.name(), "device.rolled_back");
    }
}
