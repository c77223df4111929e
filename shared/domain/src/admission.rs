//! Whether a pushed image becomes a rollout, and in whose place.

use crate::head::Head;
use crate::ids::RolloutId;
use crate::news::{News, Overtaken, Stale};
use crate::pin::Pin;
use crate::policy::OnNewer;
use crate::rollout::{Rollout, Status};

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
    /// This rollout is of the same tag and has no content yet: its digest is asked for once more, after this notice.
    Merge(RolloutId),
    /// This rollout proved it already.
    UpToDate(RolloutId),
    /// It is kept out, for this reason.
    Bad(String),
    /// Its rollout fails at once: the policy does not fit what the stack says now, for this reason.
    Unfit(String),
    /// It is older than what the head was told of.
    Stale(Stale),
    /// It is acted on late, and the head was told of something that was taken after it.
    Overtaken(Overtaken),
    /// Another rollout is live, and the policy ignores newer images meanwhile.
    Ignored(RolloutId),
}

/// What the head's rollouts are, as they are stored now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places<'a> {
    /// The head's rollout.
    pub live: Option<&'a Rollout>,
    /// Who waits behind it.
    pub waiting: Option<&'a Rollout>,
    /// Whose image is the proven one.
    pub promoted: Option<&'a Rollout>,
}

/// An image that wants to be rolled out, as far as the decision needs it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "what is known and what is wished, each by itself")]
pub struct Wish<'a> {
    /// The image.
    pub target: &'a Pin,
    /// What is told of it.
    pub news: &'a News,
    /// What was last heard of its tag, whatever became of that.
    pub tag_heard: Option<&'a News>,
    /// What the policy does to a live rollout.
    pub on_newer: OnNewer,
    /// A person wants it although it is kept out, or proven.
    pub retry: bool,
    /// A person wants it although it is older.
    pub force: bool,
    /// It is acted on long after it was taken: what was taken since may be rolled out already.
    pub late: bool,
    /// The registry can be asked what the tag means now.
    pub askable: bool,
    /// A rollout that it may be merged into follows the same policy, as it is now.
    pub same_terms: bool,
}

/// Decides.
///
/// A notice that is older than what the head was told of is not believed. Where the registry can be asked, what the tag
/// means now counts and not what the notice says: see [`Wish::content`]. Where it cannot, or where something newer waits,
/// the notice is stale. One that is acted on late is passed over for what was taken since.
pub fn admit(head: &Head, places: Places<'_>, wish: &Wish<'_>) -> Admission {
    let live = places.live.filter(|live| live.status.live());
    let waiting = places.waiting.filter(|waiting| waiting.status == Status::Pending);
    if let Some(digest) = &wish.target.digest
        && let Some(bad) = head.bad(digest)
        && !wish.retry
    {
        return Admission::Bad(bad.reason.clone());
    }
    // One who waits is newer than the live one: what comes now brings the live one's content back if it is newer still.
    let goes_back = waiting.is_some_and(|waiting| wish.news.follows(&waiting.heard()));
    let brings = |other: &&Rollout| wish.target.digest.is_some() && other.target.digest == wish.target.digest;
    if let Some(twin) = waiting.filter(brings).or(live.filter(|live| brings(live) && !goes_back)) {
        return Admission::Duplicate(twin.rollout_id.clone());
    }
    if let Some(promoted) = &head.promoted
        && live.is_none()
        && wish.target.digest.is_some()
        && promoted.pin.digest == wish.target.digest
        && !wish.retry
        && !goes_back
    {
        return Admission::UpToDate(promoted.rollout_id.clone());
    }
    if let Some(overtaken) = wish.overtaken_by(places) {
        return Admission::Overtaken(overtaken);
    }
    if let Some(stale) = wish.older_than(places)
        // Who waits is newer: what may turn out to be nothing does not take its place.
        && (!wish.askable || waiting.is_some())
    {
        return Admission::Stale(stale);
    }
    // News is merged into the latest, never into one that another came after.
    if let Some(latest) = waiting.or(live)
        && latest.open_content()
        && latest.target.tag == wish.target.tag
        && wish.content(places).digest.is_none()
        && wish.same_terms
    {
        return Admission::Merge(latest.rollout_id.clone());
    }
    let replaces = || waiting.map(|waiting| waiting.rollout_id.clone());
    let Some(live) = live else {
        let proven = head.promoted.as_ref().and_then(|promoted| promoted.pin.digest.as_ref());
        // Nothing is to be moved: it only takes the place of who would have moved everybody away.
        return match &wish.target.digest {
            Some(digest) if goes_back && proven == Some(digest) && !wish.retry => {
                Admission::Wait { replaces: replaces() }
            }
            Some(_) | None => Admission::Start,
        };
    };
    match wish.on_newer {
        OnNewer::Ignore => Admission::Ignored(live.rollout_id.clone()),
        OnNewer::Supersede if wish.content(places).digest.is_some() && !brings(&live) => {
            Admission::Supersede(live.rollout_id.clone())
        }
        OnNewer::Supersede | OnNewer::Queue => Admission::Wait { replaces: replaces() },
    }
}

impl Places<'_> {
    fn heard(self) -> Vec<News> {
        [self.live, self.waiting, self.promoted].into_iter().flatten().map(Rollout::heard).collect()
    }
}

impl Wish<'_> {
    /// Whether the notice is as new as what the head was told of.
    pub fn believed(&self, places: Places<'_>) -> bool {
        self.older_than(places).is_none()
    }

    /// What a rollout of it is to bring: the image, without the digest where the notice is not believed and the registry
    /// is asked what the tag means now.
    pub fn content(&self, places: Places<'_>) -> Pin {
        let digest = self.target.digest.clone().filter(|_| self.believed(places));
        Pin { tag: self.target.tag.clone(), digest }
    }

    /// What is newer, by more than clocks and delays explain.
    pub fn older_than(&self, places: Places<'_>) -> Option<Stale> {
        if self.force {
            return None;
        }
        self.news.stale(places.heard().iter().chain(self.tag_heard))
    }

    /// What was taken after it, where it is late. What a person forces is forced over what came before their word.
    fn overtaken_by(&self, places: Places<'_>) -> Option<Overtaken> {
        if !self.late {
            return None;
        }
        self.news.overtaken(&places.heard())
    }
}

#[cfg(test)]
mod tests;
