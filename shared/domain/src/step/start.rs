//! From a new rollout to its first batch: resolving, planning, approval, the first window.

use jiff::tz::TimeZone;

use super::{Detail, Effect, QUIET_SECONDS, RESOLVE_SECONDS, Resolution, Stepping};
use crate::event::ImageEvent;
use crate::instant::later;
use crate::rollout::{Batch, Status};
use crate::strategy::{Gate, Verdict, expires_at};

impl Stepping<'_> {
    /// Resolves, takes the head's place, plans. Nothing is offered before every page of the plan is assigned.
    pub(super) fn prepare(&mut self) -> String {
        let unresolved = self.next.target.digest.is_none();
        let news = self.next.heard();
        match &self.inputs.preparation.resolution {
            None if unresolved && self.inputs.standing.waits && later(news.taken_at, QUIET_SECONDS) > self.now => {
                self.wake(later(news.taken_at, QUIET_SECONDS));
                return "waiting until nothing more is told of the tag".to_owned();
            }
            None if later(news.taken_at, RESOLVE_SECONDS) > self.now => {
                self.effects.push(Effect::Resolve);
                self.wake(later(self.now, 30));
                return "asking the registry which digest the tag means".to_owned();
            }
            Some(Resolution::Digest(digest)) if self.next.target.digest.is_none() => {
                self.next.target.digest = Some(digest.clone());
            }
            None | Some(Resolution::Unresolved(_)) if unresolved && news.older => {
                return self.needless_because("stale");
            }
            None | Some(Resolution::Digest(_) | Resolution::Unresolved(_)) => {}
        }
        if let Some(report) = self.needless(unresolved) {
            return report;
        }
        if self.inputs.standing.waits {
            if self.inputs.standing.may_take {
                self.effects.push(Effect::TakeOver);
                return "taking the place of the rollout before it".to_owned();
            }
            return "queued behind the rollout before it".to_owned();
        }
        self.planned()
    }

    /// Ends a rollout that has nothing to bring: its digest is there already, or kept out. One that was admitted with
    /// its digest and has the live place brings devices back that the rollout before it moved away.
    fn needless(&mut self, unresolved: bool) -> Option<String> {
        let standing = self.inputs.standing;
        let digest = self.next.target.digest.as_ref();
        let reason = match (&standing.bad, digest) {
            (Some(why), Some(_)) => format!("the digest is kept out: {why}"),
            (Some(why), None) => format!("the digest that the tag's last delivery told is kept out: {why}"),
            (None, Some(digest)) if (unresolved || standing.waits) && standing.ahead.as_ref() == Some(digest) => {
                "up_to_date".to_owned()
            }
            (None, _) => return None,
        };
        Some(self.needless_because(&reason))
    }

    fn needless_because(&mut self, reason: &str) -> String {
        self.end(Status::Cancelled, reason);
        self.emit(ImageEvent::RolloutCancelled, Detail::because(reason));
        reason.to_owned()
    }

    fn planned(&mut self) -> String {
        let preparation = self.inputs.preparation;
        let Some(order) = preparation.order else {
            self.effects.push(Effect::Plan);
            self.wake(later(self.now, 60));
            return "freezing the order of the devices".to_owned();
        };
        if !preparation.missing_pages.is_empty() {
            self.effects.push(Effect::PlanPages(preparation.missing_pages.clone()));
            self.wake(later(self.now, 60));
            return format!("assigning devices: {} of {} pages are left", preparation.missing_pages.len(), order.pages);
        }
        self.next.total = order.total;
        self.next.batches = self
            .plan
            .stages
            .boundaries(order.total)
            .into_iter()
            .map(|end| Batch { end, opened_at: None, completed_at: None, counts: crate::counts::Counts::default() })
            .collect();
        preparation.planned.count_into(&mut self.next.batches);
        self.next.zones = preparation.planned.zones;
        // Where nothing was promoted yet, what the planned devices run says what the fleet ran.
        self.next.old_tag = self.next.old_tag.take().or_else(|| preparation.planned.old_tag.clone());
        if self.next.counts().devices() == 0 {
            return self.nobody();
        }
        if let Some(window) = &self.plan.policy.window {
            // Where each device has its own zone, any of them shows whether there is a day that the window opens on.
            let zone = window.zone_for(None).zone().unwrap_or(TimeZone::UTC);
            let horizon = later(self.now, 35 * 86_400);
            if window.next(&zone, self.now).is_none_or(|interval| interval.opens_at > horizon) {
                return self.fail("the policy's window does not open in the next 35 days");
            }
        }
        if self.approval_hours().is_some() {
            self.next.status = Status::AwaitingApproval;
            self.next.asked_at = Some(self.now);
            return self.await_approval();
        }
        self.next.status = Status::Scheduled;
        self.enter()
    }

    /// How long a yes is waited for; none where nobody is asked.
    fn approval_hours(&self) -> Option<u32> {
        self.plan.stages.entry.iter().find_map(|gate| match gate {
            Gate::Approval { expiry_hours } => Some(*expiry_hours),
            _ => None,
        })
    }

    /// Waits for a yes, and no longer than the policy says.
    pub(super) fn await_approval(&mut self) -> String {
        let hours = self.approval_hours().unwrap_or(self.plan.policy.approval_expiry_hours);
        let asked = self.next.asked_at.unwrap_or(self.now);
        let due = expires_at(asked, hours);
        if due <= self.now {
            let reason = format!("not approved within {hours} hours");
            self.next.status = Status::Expired;
            self.next.reason = Some(reason.clone());
            self.next.decided = None;
            self.emit(ImageEvent::RolloutExpired, Detail::because(&reason));
            return reason;
        }
        self.wake(due);
        self.held_at_the_entry().unwrap_or_else(|| "waiting for approval".to_owned())
    }

    /// Begins, or says what it waits for.
    pub(super) fn enter(&mut self) -> String {
        if self.next.counts().devices() == 0 {
            return self.nobody();
        }
        if let Some(report) = self.held_at_the_entry() {
            return report;
        }
        self.next.status = Status::InProgress;
        self.next.started_at = Some(self.now);
        self.emit(ImageEvent::RolloutStarted, Detail::default());
        self.open_next()
    }

    fn held_at_the_entry(&mut self) -> Option<String> {
        match self.verdict() {
            Verdict::Pass => None,
            Verdict::Wait { why, until } => {
                self.wake_at(until);
                Some(why)
            }
            Verdict::Stop { why, rule } => Some(self.stop(&why, rule)),
            Verdict::Inconclusive { why } => Some(self.pause(&why)),
        }
    }
}
