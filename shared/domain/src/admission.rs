//! Whether a pushed image becomes a rollout, and in whose place.

use jiff::{SignedDuration, Timestamp};

use crate::head::Head;
use crate::ids::RolloutId;
use crate::pin::Pin;
use crate::policy::OnNewer;
use crate::rollout::{Rollout, Status};

/// Notices of one tag without a digest are one within this time, in seconds: one push can be told several times.
const SAME_NOTICE_SECONDS: i64 = 60;

/// What becomes of an image that wants to be rolled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It takes the live place, which is free.
    Start,
    /// It takes the live place of this rollout.
    Supersede(RolloutId),
    /// It waits: for its digest, or for its turn. It replaces who waited before.
    Wait {
        /// Who waited before.
        replaces: Option<RolloutId>,
    },
    /// This rollout brings it already.
    Duplicate(RolloutId),
    /// This rollout proved it already.
    UpToDate(RolloutId),
    /// It is kept out, for this reason.
    Bad(String),
    /// Its rollout fails at once: the policy does not fit what the stack says now, for this reason.
    Unfit(String),
    /// Another rollout is live, and the policy ignores newer images meanwhile.
    Ignored(RolloutId),
}

/// Decides. `live` is the head's rollout, `waiting` who waits behind it, both as they are stored now.
pub fn admit(
    head: &Head,
    live: Option<&Rollout>,
    waiting: Option<&Rollout>,
    target: &Pin,
    (on_newer, retry): (OnNewer, bool),
    now: Timestamp,
) -> Admission {
    let live = live.filter(|live| live.status.live());
    let waiting = waiting.filter(|waiting| waiting.status == Status::Pending);
    if let Some(digest) = &target.digest
        && let Some(bad) = head.bad(digest)
        && !retry
    {
        return Admission::Bad(bad.reason.clone());
    }
    if let Some(twin) = live.into_iter().chain(waiting).find(|other| same(other, target, now)) {
        return Admission::Duplicate(twin.rollout_id.clone());
    }
    let Some(live) = live else {
        let promoted =
            head.promoted.as_ref().filter(|promoted| target.digest.is_some() && promoted.pin.digest == target.digest);
        return match promoted {
            Some(promoted) if !retry => Admission::UpToDate(promoted.rollout_id.clone()),
            Some(_) | None => Admission::Start,
        };
    };
    match on_newer {
        OnNewer::Ignore => Admission::Ignored(live.rollout_id.clone()),
        OnNewer::Supersede if target.digest.is_some() => Admission::Supersede(live.rollout_id.clone()),
        OnNewer::Supersede | OnNewer::Queue => {
            Admission::Wait { replaces: waiting.map(|waiting| waiting.rollout_id.clone()) }
        }
    }
}

fn same(other: &Rollout, target: &Pin, now: Timestamp) -> bool {
    match (&other.target.digest, &target.digest) {
        (Some(theirs), Some(ours)) => theirs == ours,
        (None, None) => {
            other.target.tag == target.tag
                && now.duration_since(other.created_at) < SignedDuration::from_secs(SAME_NOTICE_SECONDS)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests;
