//! Agents of others, and old engines: what they report leaves out what runs, always or now and then, or tells it in words of
//! their own.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_domain::image::Digest;
use tidegate_domain::report::Observed;

use super::agent::SERVICE;
use super::scenario::REPOSITORY;

/// How a device tells what runs, where it does not tell it plainly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// No word of its services.
    Nothing,
    /// The container's state alone.
    State,
    /// The image that it was started by, and no digest.
    Image,
    /// A digest that nobody can read.
    Unreadable,
    /// The digest behind the image's name, as Docker lists it.
    Docker,
}

/// How one terse device tells what runs.
#[derive(Debug, Clone)]
pub(super) struct Terse {
    words: Words,
    /// In how many of a thousand bodies.
    often: u32,
    /// It tells what it pulled, as the others do.
    pub(super) tells_pulled: bool,
    /// It tells that it replaces the container before it does, with what runs until then.
    pub(super) tells_ahead: bool,
    rng: ChaCha8Rng,
}

/// How the `n`th device tells what runs; `None` where it tells it plainly. In half of the seeds all do. It is drawn apart,
/// so that a seed without any is the run that it would be if there were none at all.
pub(super) fn drawn(seed: u64, n: usize) -> Option<Terse> {
    let seed = seed.rotate_left(24) ^ 0x7465_7273_6500;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    if rng.random_range(0..2) == 0 {
        return None;
    }
    let share = rng.random_range(50..500);
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(n as u64 + 1));
    if rng.random_range(0..1000) >= share {
        return None;
    }
    let words = [Words::Nothing, Words::State, Words::Image, Words::Unreadable, Words::Docker];
    Some(Terse {
        words: words[rng.random_range(0..words.len())],
        often: if rng.random_range(0..3) == 0 { 1000 } else { rng.random_range(200..900) },
        tells_pulled: rng.random_range(0..2) == 0,
        tells_ahead: rng.random_range(0..2) == 0,
        rng,
    })
}

impl Terse {
    /// Its way, for the coverage.
    pub(super) fn name(&self) -> &'static str {
        match self.words {
            Words::Nothing => "not at all",
            Words::State => "by a state",
            Words::Image => "by a tag",
            Words::Unreadable => "in words that nobody can read",
            Words::Docker => "as Docker lists it",
        }
    }

    /// What the next body says of the services, in the place of `plain`. What a device tells is read as the routes read it.
    pub(super) fn say(&mut self, plain: Observed) -> BTreeMap<String, Observed> {
        if self.rng.random_range(0..1000) >= self.often {
            return BTreeMap::from([(SERVICE.to_owned(), plain)]);
        }
        let (image, state) = (plain.image, (plain.status, plain.healthy));
        let (image, text) = match (self.words, plain.digest) {
            (Words::Nothing, _) => return BTreeMap::new(),
            (Words::State, _) => (None, None),
            (Words::Image, _) | (Words::Docker, None) => (image, None),
            (Words::Unreadable, _) => (image, Some("sha256:<none>".to_owned())),
            (Words::Docker, Some(digest)) => (image, Some(format!("{REPOSITORY}@{digest}"))),
        };
        let told = text.map(|text| Digest::told(&text));
        let observed = Observed {
            image,
            unread_digest: told.as_ref().is_some_and(Result::is_err),
            digest: told.and_then(Result::ok),
            status: state.0,
            healthy: state.1,
        };
        BTreeMap::from([(SERVICE.to_owned(), observed)])
    }
}
