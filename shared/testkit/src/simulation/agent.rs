//! A device: honest for the most part, and never quite reliable.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::image::{Digest, ImageRef, Repository, Tag};
use tidegate_domain::report::{Observed, Report, Reports};
use tidegate_domain::strategy::Phase;
use tidegate_domain::target::{Action, Move, TargetState};
use tidegate_engine::poll::Snapshot;

use super::scenario::{REPOSITORY, digest};
use super::terse::Terse;

/// The one service.
pub(super) const SERVICE: &str = "web";

/// What a device is at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    /// Nothing.
    Idle,
    /// Fetching the image of this rollout.
    Pulling(RolloutId),
    /// It has the image of this rollout, and waits for the word.
    Ready(RolloutId),
    /// Replacing the container; what it will report.
    Swapping(Box<Move>),
    /// Starting what its target without a rollout says.
    Converging,
}

/// A device.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what a device is at, each by itself")]
pub(super) struct Agent {
    pub uuid: DeviceUuid,
    /// What runs: the truth that nobody else knows.
    pub runs: (String, Digest),
    pub work: Work,
    /// Counts changes of `work`: a step of older work is void.
    pub turn: u64,
    pub seen: Vec<Snapshot>,
    pub outbox: Vec<Report>,
    pub seqs: BTreeMap<(RolloutId, u8), u32>,
    pub finished: BTreeSet<(RolloutId, u8, bool)>,
    /// Offline until then.
    pub away_until: i64,
    /// Tells untruths now and then.
    pub liar: bool,
    /// How it tells what runs, where it does not tell it plainly.
    pub terse: Option<Terse>,
    /// Was deleted.
    pub gone: bool,
    /// A request is under way.
    pub asking: bool,
    pub poll_after: u32,
    /// Services changed and were not told.
    pub untold: bool,
    pub healthy: bool,
    pub reports: u64,
    /// When somebody changed its image by hand, in milliseconds.
    pub hand_at: Option<i64>,
}

/// What the device does next about its target.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Todo {
    /// Ask again later.
    Wait,
    /// Fetch.
    Pull(Box<Move>, (String, Option<Digest>)),
    /// Replace the container by this image.
    Swap(Box<Move>, (String, Option<Digest>)),
    /// Start this without a word about rollouts.
    Converge((String, Option<Digest>)),
}

impl Agent {
    pub(super) fn new(uuid: DeviceUuid, runs: (String, Digest), liar: bool, terse: Option<Terse>) -> Self {
        Self {
            uuid,
            runs,
            work: Work::Idle,
            turn: 0,
            seen: Vec::new(),
            outbox: Vec::new(),
            seqs: BTreeMap::new(),
            finished: BTreeSet::new(),
            away_until: 0,
            liar,
            terse,
            gone: false,
            asking: false,
            poll_after: 1,
            untold: false,
            healthy: true,
            reports: 0,
            hand_at: None,
        }
    }

    /// Takes a target. A device in the middle of a swap acts on none.
    pub(super) fn consider(&self, state: &TargetState) -> Todo {
        if matches!(self.work, Work::Swapping(_) | Work::Converging) {
            return Todo::Wait;
        }
        let Some(target) = state.services.get(SERVICE) else { return Todo::Wait };
        let tag = tag_of(&target.image);
        let Some(wanted) = &target.rollout else {
            return match &target.digest {
                Some(known) if *known != self.runs.1 => Todo::Converge((tag, Some(known.clone()))),
                None if tag != self.runs.0 => Todo::Converge((tag, None)),
                Some(_) | None => Todo::Wait,
            };
        };
        let key = (wanted.rollout_id.clone(), wanted.attempt, wanted.action == Action::Rollback);
        if self.finished.contains(&key) {
            return Todo::Wait;
        }
        let has_it = matches!(&self.work, Work::Ready(id) | Work::Pulling(id) if *id == wanted.rollout_id);
        match (wanted.action, wanted.phase) {
            (Action::Update, Phase::Download) if has_it => Todo::Wait,
            (Action::Update, Phase::Download) => Todo::Pull(Box::new(wanted.clone()), (tag, target.digest.clone())),
            (Action::Update | Action::Rollback, _) => {
                Todo::Swap(Box::new(wanted.clone()), (tag, target.digest.clone()))
            }
        }
    }

    /// Queues a report, with the next `seq` of its attempt.
    pub(super) fn tell(&mut self, of: &Move, event: DeviceEvent, message: Option<&str>, until: Option<Timestamp>) {
        self.tell_of(of, event, (message, until, None));
    }

    /// Queues a report with everything that it can say: words, the end of a lock, a content.
    pub(super) fn tell_of(
        &mut self,
        of: &Move,
        event: DeviceEvent,
        (message, until, digest): (Option<&str>, Option<Timestamp>, Option<Digest>),
    ) {
        let seq = self.seqs.entry((of.rollout_id.clone(), of.attempt)).or_insert(0);
        *seq += 1;
        self.reports += 1;
        self.outbox.push(Report {
            id: format!("{}-{}", self.uuid, self.reports),
            service: Some(SERVICE.to_owned()),
            rollout_id: of.rollout_id.clone(),
            attempt: of.attempt,
            seq: Some(*seq),
            event,
            message: message.map(str::to_owned),
            until,
            digest,
        });
    }

    /// Everything that it has to say.
    pub(super) fn body(&mut self) -> Reports {
        let observed = Observed {
            image: Some(ImageRef {
                repository: Repository::parse(REPOSITORY).expect("a repository"),
                tag: Some(Tag::parse(&self.runs.0).expect("a tag")),
                digest: None,
            }),
            digest: Some(self.claims()),
            unread_digest: false,
            status: Some("running".to_owned()),
            healthy: Some(self.healthy),
        };
        let services = match &mut self.terse {
            Some(terse) => terse.say(observed),
            None => BTreeMap::from([(SERVICE.to_owned(), observed)]),
        };
        Reports { services, platform: None, reports: self.outbox.clone() }
    }

    /// What it says that it runs.
    pub(super) fn claims(&self) -> Digest {
        if self.liar { digest(1) } else { self.runs.1.clone() }
    }

    /// Whether it tells what it pulled: older agents do not.
    pub(super) fn tells_pulled(&self, n: usize) -> bool {
        !n.is_multiple_of(5) && self.terse.as_ref().is_none_or(|terse| terse.tells_pulled)
    }

    /// The server has these.
    pub(super) fn acknowledged(&mut self, ids: &[String]) {
        self.outbox.retain(|report| !ids.contains(&report.id));
    }
}

/// The tag of a reference without a digest.
fn tag_of(image: &str) -> String {
    image.rsplit_once(':').map_or_else(|| "latest".to_owned(), |(_, tag)| tag.to_owned())
}
