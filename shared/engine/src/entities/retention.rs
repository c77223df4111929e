//! What expires by itself, and when: the details of rollouts. A rollout's own item, its policy's copy and the registry's
//! answer never do: devices rest on them.

use jiff::{SignedDuration, Timestamp};
use tidegate_domain::rollout::Rollout;

use super::plans;
use crate::ports::{Item, Table};

/// The attribute that tables take an item's end from, in seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";

/// How much longer than asked for an item stays, counted from its last write: within that time a live rollout's details
/// are written again, four times over.
pub const MARGIN_DAYS: u32 = 100;

/// After so many days of a rollout's life, each time, its details are written once more.
pub const KEEP_EVERY_DAYS: i64 = 25;

/// Nobody joins, and nothing begins, in a rollout that ended so long ago: a rollback of everything is refused by then.
const OVER_DAYS: i64 = 31;

/// Whether the item is of a kind that expires.
pub fn expires(table: Table, item: &Item) -> bool {
    match table {
        Table::DeviceRollouts | Table::RolloutJournal | Table::Events => true,
        Table::Rollouts => plans::is_page(item),
        // Deliveries and tags say by themselves when they end.
        Table::Devices | Table::DeviceImages | Table::Policies | Table::Images | Table::Deliveries => false,
    }
}

/// When an item that is written now expires.
pub fn expires_at(retention_days: u32, now: Timestamp) -> i64 {
    now.as_second() + days(i64::from(retention_days) + i64::from(MARGIN_DAYS)).as_secs()
}

/// When the details of a rollout that is over are no longer shown: the tables may begin to let go of them then. None while
/// it lives.
pub fn details_until(rollout: &Rollout, retention_days: u32) -> Option<Timestamp> {
    ended(rollout)?.checked_add(days(i64::from(retention_days))).ok()
}

/// Whether a device of this rollout that has no row had one, which expired.
pub fn is_long_over(rollout: &Rollout, now: Timestamp) -> bool {
    ended(rollout).is_some_and(|ended| now.duration_since(ended) > days(OVER_DAYS))
}

/// Whether this minute's sweep is one that has the rollout's details written once more. Its id tells since when it lives;
/// a sweep that is missed is made good the next time.
pub fn keeps(created_at: Timestamp, now: Timestamp) -> bool {
    let minutes = now.duration_since(created_at).as_mins();
    let each = days(KEEP_EVERY_DAYS).as_mins();
    minutes >= each && minutes % each == 0
}

fn ended(rollout: &Rollout) -> Option<Timestamp> {
    rollout.completed_at.filter(|_| rollout.live.is_none())
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(id: &str) -> Item {
        json!({ "rollout_id": id }).as_object().cloned().unwrap()
    }

    #[test]
    fn details_expire_and_what_devices_rest_on_does_not() {
        let cases = [
            (Table::DeviceRollouts, "R", true),
            (Table::RolloutJournal, "R", true),
            (Table::Events, "R", true),
            (Table::Rollouts, "R#page#0a1b#000000", true),
            (Table::Rollouts, "R", false),
            (Table::Rollouts, "R#plan", false),
            (Table::Rollouts, "R#resolved", false),
            (Table::Rollouts, "R#order", false),
            (Table::Devices, "R", false),
            (Table::Images, "R", false),
        ];
        for (table, id, expected) in cases {
            assert_eq!(expires(table, &item(id)), expected, "{table:?} {id}");
        }
    }

    #[test]
    fn a_rollout_that_lives_on_keeps_its_details_at_every_moment() {
        let born: Timestamp = "2026-01-01T00:00:30Z".parse().unwrap();
        let mut until = expires_at(31, born);
        let (mut now, mut kept) = (born, 0);
        for _ in 0..(400 * 24 * 60) {
            now += SignedDuration::from_mins(1);
            if keeps(born, now) {
                kept += 1;
                until = expires_at(31, now);
            }
            assert!(until - now.as_second() >= days(31).as_secs(), "at least the retention is left at {now}");
        }
        assert_eq!(kept, 16, "once every 25 days, and no more");
    }

    #[test]
    fn what_is_missed_three_times_in_a_row_is_still_there() {
        let left = i64::from(MARGIN_DAYS) - 4 * KEEP_EVERY_DAYS;
        assert!(left >= 0, "the fourth chance comes before anything goes");
    }
}
