//! Whether what the API tells of a rollout holds together: counts and rows, the order of events, the bus.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate_domain::event::DeviceEvent;

use crate::client::Client;
use crate::queues::Queues;

/// How long the bus may lag behind.
const BUS_LAG: Duration = Duration::from_secs(45);

/// The rollout's counts equal its rows, as a whole and batch by batch.
pub(crate) fn counts_equal_rows(rollout: &Value, rows: &[Value]) {
    let compare = |what: &str, told: &Value, statuses: &[&str], batch: Option<&Value>| {
        let of_batch = rows.iter().filter(|row| batch.is_none_or(|batch| row["batch_number"] == *batch));
        let counted = of_batch.filter(|row| statuses.iter().any(|status| row["status"] == *status)).count();
        assert_eq!(told.as_u64(), Some(counted as u64), "{what} of {rollout}, its rows: {rows:?}");
    };
    let counted = ["pending", "updating", "completed", "failed", "rolled_back", "deferred", "blocked"];
    compare("total_devices", &rollout["total_devices"], &counted, None);
    compare("healthy_devices", &rollout["healthy_devices"], &["completed"], None);
    compare("failed_devices", &rollout["failed_devices"], &["failed"], None);
    compare("deferred_devices", &rollout["deferred_devices"], &["deferred"], None);
    for batch in rollout["batches"].as_array().expect("batches") {
        let number = Some(&batch["number"]);
        compare("devices", &batch["devices"], &counted, number);
        compare("healthy", &batch["healthy"], &["completed"], number);
        compare("failed", &batch["failed"], &["failed"], number);
        compare("rolled_back", &batch["rolled_back"], &["rolled_back"], number);
    }
}

/// How often each event occurred.
pub(crate) fn names(events: &[Value]) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    for event in events {
        *names.entry(event["event"].as_str().expect("a name")).or_insert(0) += 1;
    }
    names
}

/// The rollout's events come in the order of time, each once, and every device's history is a legal path.
pub(crate) fn events_are_in_order(events: &[Value]) {
    let ids: BTreeSet<_> = events.iter().map(|event| event["event_id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), events.len(), "an event is told twice");
    let of_rollout: Vec<&Value> = events.iter().filter(|event| event["device_uuid"].is_null()).collect();
    for pair in of_rollout.windows(2) {
        assert!(pair[0]["at"].as_str() <= pair[1]["at"].as_str() || same_second(pair), "{pair:?}");
    }
    let mut histories: BTreeMap<&str, Vec<DeviceEvent>> = BTreeMap::new();
    for event in events {
        if let Some(device) = event["device_uuid"].as_str() {
            let name = event["event"].as_str().expect("a name");
            histories.entry(device).or_default().push(DeviceEvent::parse(name).expect("an event of the contract"));
        }
    }
    for (device, history) in histories {
        assert!(is_legal(&history), "device {device}: {history:?}");
    }
}

/// RFC 3339 leaves trailing zeros of a second away, which text does not order.
fn same_second(pair: &[&Value]) -> bool {
    let second = |event: &Value| event["at"].as_str().map(|at| at.chars().take(19).collect::<String>());
    second(pair[0]) == second(pair[1])
}

/// A place first, then forward only; a way back may be tried again.
fn is_legal(history: &[DeviceEvent]) -> bool {
    use DeviceEvent as E;
    let stages: Vec<u8> = history
        .iter()
        .filter_map(|event| match event {
            E::ImageUpdateScheduled => Some(0),
            E::ImagePulling => Some(1),
            E::ImagePulled => Some(2),
            E::ContainerUpdating => Some(3),
            E::UpdateCompleted => Some(4),
            E::HealthCheckPassed | E::HealthCheckFailed | E::UpdateFailed => Some(5),
            E::RolledBack | E::RollbackFailed => Some(6),
            E::UpdateDeferred | E::UpdateBlocked | E::UpdateTimedOut | E::UpdateSkipped | E::Reenrolled => None,
        })
        .collect();
    stages.first() == Some(&0) && stages.windows(2).all(|two| two[0] < two[1] || two == [6, 6])
}

/// Everything that the API tells of the rollout was published under the same id and name, and nothing else.
pub(crate) async fn the_bus_was_told(client: &Client, rollout: &str) {
    let Some(queues) = Queues::of(client) else { return };
    let deadline = Instant::now() + BUS_LAG;
    loop {
        let events = client.events(rollout).await;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        // On the bus, ids are unique among all rollouts.
        let id = |event: &Value| format!("{rollout}/{}", text(&event["event_id"]));
        let kept: BTreeMap<_, _> = events.iter().map(|event| (id(event), text(&event["event"]))).collect();
        let published = queues.published(rollout).await;
        if kept == published {
            return;
        }
        let of = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| -> Vec<String> {
            one.iter().filter(|(id, _)| !other.contains_key(*id)).map(|(id, name)| format!("{name} {id}")).collect()
        };
        let (unpublished, unknown) = (of(&kept, &published), of(&published, &kept));
        assert!(Instant::now() < deadline, "not on the bus: {unpublished:?}; only on the bus: {unknown:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// No message was given up on.
pub(crate) async fn nothing_was_given_up_on(client: &Client) {
    let Some(queues) = Queues::of(client) else { return };
    let dead = queues.dead_letters().await;
    assert!(dead.is_empty(), "dead letters: {dead:?}");
}
