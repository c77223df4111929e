//! What a seed means: the fleet, its policy, the faults, the pushes, the operators.

use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::Digest;
use tidegate_domain::policy::{Origin, Policy, PolicyDefaults, RawPolicy};

use super::news::{Notice, notices};
use super::policies::{Edit, edits};
use super::registry;
use super::triggers::{self, ByHand};
use crate::world::Chances;

/// The one image of the simulation.
pub(super) const REPOSITORY: &str = "docker.io/acme/app";

/// A policy for those of the first fleet that have the tag; an operator creates it on the way.
const NARROW: &str = "narrow";
pub(super) const TAG: &str = "ring";

/// The fleet of the first policy, that of the second, and one that no policy selects.
pub(super) const FLEETS: [&str; 3] = ["field", "shop", "depot"];

/// A moment and what a seed decided for it.
#[derive(Debug, Clone)]
pub(super) struct Push {
    /// Milliseconds from the start.
    pub at: i64,
    /// `v<n>`.
    pub version: u32,
    /// The version whose content it has: its own, or an earlier one's under another tag.
    pub content: u32,
    /// Whether the sender tells the digest.
    pub pinned: bool,
    /// Whether the registry can be asked for it.
    pub resolvable: bool,
    /// When each repeat of the delivery comes, in milliseconds from the first.
    pub repeats: Vec<i64>,
    /// How far the sender's clock is off, in milliseconds.
    pub clock: i64,
}

/// Somebody changes a device's image by hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hand {
    /// Milliseconds from the start.
    pub at: i64,
    /// The device.
    pub device: usize,
    /// What it runs from then on.
    pub version: u32,
}

/// An operator moves a device to another fleet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    /// Milliseconds from the start.
    pub at: i64,
    /// The device.
    pub device: usize,
    /// Where to, by its place in [`FLEETS`].
    pub fleet: usize,
}

/// An operator's moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// Milliseconds from the start.
    pub at: i64,
    /// Chooses the command.
    pub dice: u32,
}

/// Everything that a seed decides beforehand.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub start: Timestamp,
    pub devices: usize,
    pub joiners: Vec<i64>,
    pub leavers: Vec<(i64, usize)>,
    /// Of the first fleet, and in some seeds of the second.
    pub policies: Vec<Policy>,
    /// Each device's first fleet, by its place in [`FLEETS`].
    pub fleets: Vec<usize>,
    pub relocations: Vec<Relocation>,
    /// When a policy for some devices of the first fleet is created.
    pub narrow: Option<(i64, Policy)>,
    /// What operators do with the policies.
    pub edits: Vec<(i64, Edit)>,
    pub pushes: Vec<Push>,
    pub notices: Vec<Notice>,
    /// How many rollouts an answer has room for; the others come behind the queue. None is what a stack has.
    pub rollouts_per_answer: Option<u32>,
    pub orders: Vec<Order>,
    pub hands: Vec<Hand>,
    pub triggers: Vec<ByHand>,
    pub chances: Chances,
    pub crash: u32,
    pub lose_message: u32,
    pub double_message: u32,
    /// When faults and operators end, in milliseconds from the start.
    pub active: i64,
    /// Versions whose health check always fails.
    pub bad: Vec<u32>,
    /// In a thousand.
    pub unhealthy: u32,
    pub pull_fails: u32,
    pub vanishing: u32,
    pub locked: u32,
    pub lying: u32,
    pub way_back_fails: u32,
}

/// The digest of a version.
pub(super) fn digest(version: u32) -> Digest {
    let hash = hex::encode(Sha256::digest(format!("v{version}")));
    Digest::parse(&format!("sha256:{hash}")).expect("64 hexadecimal digits are a digest")
}

/// A version that nobody pushes.
pub(super) const STRANGER: u32 = 39;

/// What a moved tag brings to some devices.
pub(super) fn other_digest(version: u32) -> Digest {
    digest(version + 1_000)
}

/// What a tag brings that was pushed a second time.
pub(super) fn repushed(version: u32) -> Digest {
    digest(version + 2_000)
}

impl Push {
    /// Whether this repeat is the same push under an id of its own: some senders tell one push twice.
    pub(super) fn has_own_id(&self, repeat: usize) -> bool {
        let soon = repeat.checked_sub(1).is_some_and(|k| self.repeats[k] < 200);
        soon && self.pinned && repeat % 2 == 1
    }
}

impl Scenario {
    /// What the tag of a version means.
    pub(super) fn content(&self, version: u32) -> u32 {
        self.pushes.iter().find(|push| push.version == version).map_or(version, |push| push.content)
    }

    /// Whether some content is pushed under several tags.
    pub(super) fn pushes_again(&self) -> bool {
        self.pushes.iter().any(|push| push.content != push.version)
    }

    /// Whether some push is told under two ids.
    pub(super) fn twins(&self) -> bool {
        let twice = |push: &Push| (0..=push.repeats.len()).any(|repeat| push.has_own_id(repeat));
        !self.notices.is_empty() || self.pushes.iter().any(twice)
    }

    pub(super) fn new(rng: &mut ChaCha8Rng, seed: u64) -> Self {
        let hour = 3_600_000;
        let start =
            Timestamp::from_second(1_790_000_000 + rng.random_range(0..14 * 86_400)).expect("within the calendar");
        let active = rng.random_range(hour / 2..3 * hour);
        let devices = match rng.random_range(0..10) {
            0 => rng.random_range(1..4),
            1..7 => rng.random_range(4..14),
            _ => rng.random_range(14..32),
        };
        let heavy = rng.random_range(0..4);
        let chances = match heavy {
            0 => Chances::default(),
            1 => Chances { fail_before: 4, fail_after: 4, fail_halfway: 4, conflict: 10, stale: 100, short_page: 20 },
            2 => {
                Chances { fail_before: 20, fail_after: 15, fail_halfway: 10, conflict: 30, stale: 300, short_page: 50 }
            }
            _ => {
                Chances { fail_before: 80, fail_after: 30, fail_halfway: 20, conflict: 50, stale: 400, short_page: 100 }
            }
        };
        let mut pushes = pushes(rng, active);
        push_again(seed, &mut pushes);
        let notices = notices(seed, &mut pushes, active);
        let versions = pushes.len() as u32;
        let triggers = triggers::drawn(seed, &pushes, active);
        let hands = hands(seed, &pushes, devices, active);
        let Beyond { second, fleets, relocations, narrow } = beyond(seed, start, devices, active);
        let orders = (0..rng.random_range(0..8))
            .map(|_| Order { at: rng.random_range(0..active), dice: rng.random_range(0..100) })
            .collect();
        let some = |rng: &mut ChaCha8Rng, often: u32, most: u32| {
            if rng.random_range(0..100) < often { rng.random_range(1..most) } else { 0 }
        };
        Self {
            start,
            devices,
            joiners: (0..rng.random_range(0..3)).map(|_| rng.random_range(0..active)).collect(),
            leavers: (0..rng.random_range(0..3))
                .map(|_| (rng.random_range(0..active), rng.random_range(0..devices)))
                .collect(),
            policies: std::iter::once(policy(rng, FLEETS[0], start)).chain(second).collect(),
            fleets,
            relocations,
            narrow,
            edits: edits(seed, active),
            pushes,
            notices,
            rollouts_per_answer: registry::rollouts_per_answer(seed),
            orders,
            hands,
            triggers,
            chances,
            crash: if heavy == 0 { 0 } else { rng.random_range(0..15) },
            lose_message: some(rng, 50, 80),
            double_message: some(rng, 60, 150),
            active,
            bad: (2..=versions + 1).filter(|_| rng.random_range(0..3) == 0).collect(),
            unhealthy: some(rng, 50, 250),
            pull_fails: some(rng, 40, 150),
            vanishing: some(rng, 50, 150),
            locked: some(rng, 30, 200),
            lying: some(rng, 15, 100),
            way_back_fails: some(rng, 25, 400),
        }
    }
}

fn pushes(rng: &mut ChaCha8Rng, active: i64) -> Vec<Push> {
    let mut at = rng.random_range(0..60_000);
    let mut pushes = Vec::new();
    let always_pinned = rng.random_range(0..10) < 6;
    for version in 2..2 + rng.random_range(1..5) {
        if at > active {
            break;
        }
        let repeats = (0..rng.random_range(0..4))
            .map(|_| match rng.random_range(0..3) {
                0 => rng.random_range(0..200),
                1 => rng.random_range(0..60_000),
                _ => rng.random_range(0..2 * 3_600_000),
            })
            .collect();
        pushes.push(Push {
            at,
            version,
            content: version,
            pinned: always_pinned || rng.random_range(0..2) == 0,
            resolvable: rng.random_range(0..3) > 0,
            repeats,
            clock: 0,
        });
        at += match rng.random_range(0..5) {
            0 => rng.random_range(0..5_000),
            4 => rng.random_range(0..120),
            1 => rng.random_range(0..300_000),
            _ => rng.random_range(0..5_400_000),
        };
    }
    pushes
}

/// In some seeds, contents that come again under a later tag, bad ones among them, and mostly nobody but the devices can
/// tell. Drawn apart, as [`hands`] are.
fn push_again(seed: u64, pushes: &mut [Push]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.rotate_left(16) ^ 0xa9a1_7e57);
    if rng.random_range(0..3) > 0 {
        return;
    }
    for n in 1..pushes.len() {
        if rng.random_range(0..2) == 0 {
            pushes[n].content = pushes[rng.random_range(0..n)].content;
            if rng.random_range(0..3) > 0 {
                (pushes[n].pinned, pushes[n].resolvable) = (false, false);
            }
        }
    }
}

/// At most one for each device, most of them about when the image that they start is pushed. They are drawn apart, so
/// that a seed without any is the run that it would be if there were none at all.
fn hands(seed: u64, pushes: &[Push], devices: usize, active: i64) -> Vec<Hand> {
    let mut rng = ChaCha8Rng::seed_from_u64(!seed);
    if rng.random_range(0..2) == 0 {
        return Vec::new();
    }
    let mut hands = Vec::new();
    for device in 0..devices {
        if rng.random_range(0..4) > 0 {
            continue;
        }
        let push = &pushes[rng.random_range(0..pushes.len())];
        let at = match rng.random_range(0..3) {
            0 => rng.random_range(0..active),
            _ => (push.at + rng.random_range(-8_000..8_000)).max(0),
        };
        let version = match rng.random_range(0..5) {
            0 => 1,
            1 | 2 => STRANGER,
            _ => push.version,
        };
        hands.push(Hand { at, device, version });
    }
    hands
}

/// What goes beyond one policy for all: drawn apart, as [`hands`] are.
struct Beyond {
    second: Option<Policy>,
    fleets: Vec<usize>,
    relocations: Vec<Relocation>,
    narrow: Option<(i64, Policy)>,
}

fn beyond(seed: u64, start: Timestamp, devices: usize, active: i64) -> Beyond {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.rotate_left(32) ^ 0x5ec0_7df1);
    let second = (rng.random_range(0..3) == 0).then(|| policy(&mut rng, FLEETS[1], start));
    let fleets = (0..devices).map(|_| usize::from(second.is_some() && rng.random_range(0..3) == 0)).collect();
    let moves = if rng.random_range(0..2) == 0 { 0 } else { rng.random_range(1..6) };
    let relocations = (0..moves)
        .map(|_| Relocation {
            at: rng.random_range(0..active),
            device: rng.random_range(0..devices),
            fleet: rng.random_range(0..FLEETS.len()),
        })
        .collect();
    let narrow = (rng.random_range(0..4) == 0).then(|| (rng.random_range(0..active), policy(&mut rng, NARROW, start)));
    Beyond { second, fleets, relocations, narrow }
}

fn policy(rng: &mut ChaCha8Rng, name: &str, now: Timestamp) -> Policy {
    let one_of = |rng: &mut ChaCha8Rng, of: &[serde_json::Value]| of[rng.random_range(0..of.len())].clone();
    let strategy = ["auto", "staged", "staged", "staged", "manual", "scheduled"][rng.random_range(0..6)];
    let window = strategy == "scheduled" || rng.random_range(0..6) == 0;
    let mut raw = json!({
        "name": name,
        "image_pattern": format!("{REPOSITORY}:*"),
        "update_strategy": strategy,
        "staged_batches": one_of(rng, &[json!(3), json!(2), json!([1, "50%", "100%"]), json!(["10%", "100%"])]),
        "batch_delay": format!("{}s", rng.random_range(0..900)),
        "soak_seconds": rng.random_range(0..60),
        "health_check_timeout_seconds": 120,
        "healthy_for_seconds": 0,
        "auto_rollback": rng.random_range(0..8) > 0,
        "max_failure_rate": one_of(rng, &[json!(0.2), json!(0.2), json!(0.5), json!(0.0)]),
        "max_consecutive_failures": one_of(rng, &[json!(3), json!(3), json!(1), json!(100)]),
        "offline_grace_hours": 1,
        "lock_grace_hours": 1,
        "approval_expiry_hours": rng.random_range(1..4),
        "on_newer": one_of(rng, &[json!("supersede"), json!("supersede"), json!("queue"), json!("ignore")]),
        "on_failure": one_of(rng, &[json!("pause"), json!("pause"), json!("rollback_all")]),
        "on_drift": one_of(rng, &[json!("converge"), json!("adopt"), json!("hold")]),
        "count_timeouts": rng.random_range(0..5) > 0,
        "fleet_id": if name == NARROW { FLEETS[0] } else { name },
    });
    if name == NARROW {
        raw["device_tags"] = json!({ TAG: "early" });
    }
    if rng.random_range(0..4) == 0 {
        raw["max_in_flight"] = json!(rng.random_range(1..4));
    }
    if window {
        let opens: u32 = rng.random_range(0..24);
        raw["maintenance_window_start"] = json!(format!("{opens:02}:00:00"));
        raw["maintenance_window_end"] = json!(format!("{:02}:30:00", (opens + rng.random_range(1..12)) % 24));
        raw["timezone"] = one_of(rng, &[json!("UTC"), json!("Europe/Berlin"), json!("device")]);
        if raw["timezone"] == "device" && opens.is_multiple_of(2) {
            raw["fallback_timezone"] = json!("Asia/Tokyo");
        }
    }
    let raw = RawPolicy::from_json("", &raw).expect("the generator writes policies that can be read");
    raw.validate(&PolicyDefaults::default(), PolicyId::trusted(format!("01{}", name.to_uppercase())), now, Origin::File)
        .expect("the generator writes policies that are valid")
}
