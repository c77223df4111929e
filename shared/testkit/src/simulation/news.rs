//! Registries that tell what is odd: the same again under another id, hours later, by a clock that differs; and tags that
//! are pushed twice in short order.

use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_domain::image::{Digest, ImageRef, Repository, Tag};

use super::scenario::{Push, REPOSITORY, digest, repushed};
use super::stage::{Event, Owner, Stage};
use crate::memory::Answer;

/// A notice beside the first and its repeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notice {
    /// Milliseconds from the start.
    pub at: i64,
    /// Of which push.
    pub push: usize,
    /// Whether the tag has other content from then on.
    pub moves: bool,
}

/// How far a sender's clock is off, in milliseconds: two of them are never further apart than what is forgiven.
const CLOCK: i64 = 110_000;

/// What is told beside the pushes themselves. It is drawn apart, so that a seed without any is the run that it would be
/// if there were none at all.
pub(super) fn notices(seed: u64, pushes: &mut [Push], active: i64) -> Vec<Notice> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6e65_7773);
    let mut notices = Vec::new();
    match rng.random_range(0..4) {
        0 => return notices,
        1 => {
            for push in &mut *pushes {
                push.clock = rng.random_range(-CLOCK..CLOCK);
            }
        }
        _ => {}
    }
    for (n, push) in pushes.iter().enumerate() {
        if rng.random_range(0..3) == 0 {
            notices.push(Notice { at: push.at + rng.random_range(0..active), push: n, moves: false });
        }
        let unknown = !push.pinned && push.resolvable;
        if unknown && rng.random_range(0..2) == 0 {
            let soon = if rng.random_range(0..2) == 0 { 3_000 } else { 60_000 };
            notices.push(Notice { at: push.at + rng.random_range(0..soon), push: n, moves: true });
        }
    }
    notices
}

impl Stage {
    /// The registry tells of a push once more under an id of its own, or of another one of the same tag.
    pub(super) fn notice(&mut self, n: usize) {
        let notice = self.scenario.notices[n];
        let push = self.scenario.pushes[notice.push].clone();
        let version = push.version;
        let (mut at, mut content) = (push.at, 0);
        if notice.moves {
            (at, content) = (notice.at, 1);
            let repository = Repository::parse(REPOSITORY).expect("a repository");
            let tag = Tag::parse(&format!("v{version}")).expect("a tag");
            self.memory.registry.set(ImageRef::tagged(repository, tag), Answer::manifest(repushed(version)));
            self.repushed.insert(version);
            self.coverage.met("push: another of the same tag");
        } else {
            self.coverage.met("push: told again under another id");
        }
        let told = push.pinned.then(|| digest(push.content));
        let id = format!("00000000-0000-4000-9000-{n:012}");
        self.tell(|| format!("notice of v{version}{}", if content > 0 { ", which is another by now" } else { "" }));
        let date = Timestamp::from_millisecond(self.scenario.start.as_millisecond() + at + push.clock)
            .expect("within the calendar");
        self.deliver_notice(Owner::Notice(n), &id, version, told.as_ref(), date);
    }

    /// What the registry gives to who pulls a version's tag now.
    pub(super) fn pulled(&self, version: u32) -> Digest {
        if self.repushed.contains(&version) { repushed(version) } else { digest(self.scenario.content(version)) }
    }

    /// It is told again until it is taken.
    pub(super) fn notice_again(&mut self, n: usize) {
        self.after(15_000, Event::Notice(n));
    }
}
