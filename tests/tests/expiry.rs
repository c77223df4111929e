//! What the stored items of a rollout say of their end, on a DynamoDB in this process.

use dynoxide::Database;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_aws::local::new_store;
use tidegate_engine::entities::retention::{EXPIRES_AT, MARGIN_DAYS};
use tidegate_engine::ports::{Condition, Freshness, Item, Key, Store, Table, Write};
use tokio::net::TcpListener;

const RETENTION_DAYS: u32 = 400;

fn item(value: &Value) -> Item {
    value.as_object().cloned().expect("an item")
}

fn put((key, value): &(Key, Value)) -> Write {
    Write::Put { table: key.table, item: item(value), condition: Condition::Absent }
}

#[tokio::test]
async fn details_say_when_they_end_and_what_devices_rest_on_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().expect("a database")));
    let store = new_store(&url, "expiry").await.expect("tables").with_retention(RETENTION_DAYS);
    let details = [
        (Key::composite(Table::DeviceRollouts, "R#00", "d"), json!({"shard": "R#00", "device_uuid": "d"})),
        (Key::composite(Table::RolloutJournal, "R", "page#1"), json!({"rollout_id": "R", "n": "page#1"})),
        (Key::composite(Table::Events, "R", "1"), json!({"stream": "R", "event_id": "1"})),
        (Key::simple(Table::Rollouts, "R#page#x#0"), json!({"rollout_id": "R#page#x#0"})),
    ];
    let kept = [
        (Key::simple(Table::Rollouts, "R"), json!({"rollout_id": "R"})),
        (Key::simple(Table::Rollouts, "R#plan"), json!({"rollout_id": "R#plan"})),
        (Key::simple(Table::Rollouts, "R#resolved"), json!({"rollout_id": "R#resolved"})),
        (Key::simple(Table::Devices, "d"), json!({"device_uuid": "d"})),
    ];
    let before = Timestamp::now().as_second();
    // Alone and in a transaction.
    store.write(&[put(&details[0])]).await.expect("stored");
    let rest: Vec<Write> = details[1..].iter().chain(&kept).map(put).collect();
    store.write(&rest).await.expect("stored");
    let least = before + i64::from(RETENTION_DAYS + MARGIN_DAYS) * 86_400;
    for (key, _) in details {
        let stored = store.get(&key, Freshness::Consistent).await.expect("read").expect("there");
        let until = stored.get(EXPIRES_AT).and_then(Value::as_i64).unwrap_or_else(|| panic!("{key:?} never ends"));
        assert!((least..least + 60).contains(&until), "{key:?}: {until}");
    }
    for (key, value) in kept {
        let stored = store.get(&key, Freshness::Consistent).await.expect("read").expect("there");
        assert_eq!(stored, item(&value), "{key:?}");
    }
}
