//! A rollback of everything: how far it is open, and when it is over.

use super::{Detail, Stepping};
use crate::counts::Class;
use crate::event::ImageEvent;
use crate::rollout::Status;

impl Stepping<'_> {
    /// Over when every device that was offered the image is on its old one, or could not be brought there.
    pub(super) fn roll_back(&mut self) -> String {
        let counts = self.next.counts();
        let owed = counts.of(Class::Healthy)
            + counts.of(Class::Updating)
            + counts.of(Class::Blocked)
            + counts.of(Class::Failed)
            + counts.of(Class::Reverting);
        self.stride_back(owed, counts.of(Class::Reverting));
        if owed > 0 {
            self.watch();
            return format!("rolling back: {owed} devices have not reported their old image yet");
        }
        if !self.settled_since_command() {
            return "rolling back: every device reported; waiting until no older copy of this rollout is in use"
                .to_owned();
        }
        let stuck = counts.of(Class::Stuck);
        let not_seen = counts.of(Class::NotSeen);
        self.next.status = Status::RolledBack;
        self.next.completed_at = Some(self.now);
        let report = match (stuck, not_seen) {
            (0, 0) => "every device is on its old image".to_owned(),
            _ => format!("rolled back; {stuck} devices could not go back, {not_seen} were not seen"),
        };
        self.emit(ImageEvent::RollbackCompleted, Detail::because(&report));
        report
    }

    fn stride_back(&mut self, owed: u32, in_flight: u32) {
        let total = self.next.total;
        let Some(rollback) = &mut self.next.rollback else { return };
        let Some(limit) = rollback.max_in_flight else { return };
        if rollback.open_to >= total {
            return;
        }
        let room = limit.max(1).saturating_sub(in_flight);
        if owed > 0 && room > 0 {
            rollback.open_to = total.min(rollback.open_to.saturating_add(room));
        }
    }
}
