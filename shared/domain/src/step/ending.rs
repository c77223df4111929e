//! Ends: completed, failed, and what is left to do after any of them.

use super::{Detail, Effect, SETTLE_SECONDS, Stepping};
use crate::counts::Class;
use crate::event::ImageEvent;
use crate::instant::later;
use crate::rollout::{By, Decided, Status};

impl Stepping<'_> {
    /// Every batch is done.
    pub(super) fn complete(&mut self) -> String {
        if !self.settled_since_command() {
            return "done; waiting until no older copy of this rollout is in use".to_owned();
        }
        let counts = self.next.counts();
        if counts.devices() == 0 {
            return self.nobody();
        }
        if counts.of(Class::Healthy) == 0 {
            return self.fail("every batch is done and no device is healthy");
        }
        self.end(Status::Completed, "");
        self.effects.push(Effect::Promote);
        let deferred = counts.of(Class::Deferred);
        let report = if deferred == 0 {
            format!("{} devices are healthy on the new image", counts.of(Class::Healthy))
        } else {
            format!("{} devices are healthy, {deferred} were offline", counts.of(Class::Healthy))
        };
        self.emit(ImageEvent::RolloutCompleted, Detail::because(&report));
        report
    }

    /// There is no device to update, or none any more.
    pub(super) fn nobody(&mut self) -> String {
        let reason = "no_devices: no device needs this image";
        self.end(Status::Cancelled, reason);
        self.emit(ImageEvent::RolloutCancelled, Detail::because(reason));
        reason.to_owned()
    }

    /// Nothing to go on with.
    pub(super) fn fail(&mut self, reason: &str) -> String {
        self.end(Status::Failed, reason);
        self.effects.push(Effect::Ban(reason.to_owned()));
        self.emit(ImageEvent::RolloutFailed, Detail::because(reason));
        reason.to_owned()
    }

    pub(super) fn end(&mut self, status: Status, reason: &str) {
        self.next.status = status;
        self.next.completed_at = Some(self.now);
        self.next.resume_to = None;
        self.next.check_at = None;
        // A pause's or a resume's reason does not explain the end.
        self.next.decided = (status == Status::Failed).then_some(Decided { by: By::Rules, at: self.now });
        self.next.reason = Some(reason).filter(|reason| !reason.is_empty()).map(str::to_owned);
    }

    /// An ended rollout: devices past the swap still settle in it, and who waited for its place gets it.
    pub(super) fn drain(&mut self) -> String {
        let in_flight = self.next.in_flight();
        if in_flight > 0 {
            // Also where the sweep had let go of it already: an offer can cross the end.
            self.next.live = Some("1".to_owned());
            self.watch();
            return format!("{}; {in_flight} devices are still settling", self.next.status.name());
        }
        if self.next.live.is_some() && self.settled_since_end() && self.settled_since_command() {
            self.next.live = None;
        }
        self.next.reason.clone().unwrap_or_else(|| self.next.status.name().to_owned())
    }

    /// Whether what was offered just before the end has been written down by now.
    fn settled_since_end(&mut self) -> bool {
        let Some(at) = self.next.completed_at else { return true };
        let due = later(at, SETTLE_SECONDS);
        if due > self.now {
            self.wake(due);
        }
        due <= self.now
    }
}
