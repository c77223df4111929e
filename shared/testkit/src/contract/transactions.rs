//! Several writes as one.

use serde_json::json;
use tidegate_engine::ports::{Condition, Freshness, Item, Key, Store, Table, Write, WriteError};

use super::{assert_rejected, item, put, put_all};

async fn read(store: &dyn Store, key: &Key) -> Option<Item> {
    store.get(key, Freshness::Consistent).await.unwrap()
}

fn absent(key: &Key) -> Write {
    Write::Put { table: key.table, item: item(key, &[]), condition: Condition::Absent }
}

pub(super) async fn one_refusal_stops_all(store: &dyn Store, scope: &str) {
    let there = Key::simple(Table::Rollouts, format!("{scope}-there"));
    put_all(store, vec![put(item(&there, &[("revision", json!(1))]), Table::Rollouts)]).await;
    let (first, last) = (Key::composite(Table::Events, scope, "1"), Key::simple(Table::Deliveries, scope));
    let wrong = Condition::Equals("revision", json!(2));
    let refusing = [
        ("put", absent(&there)),
        (
            "update",
            Write::Update {
                key: there.clone(),
                set: vec![],
                add: vec![("revision", 1)],
                remove: vec![],
                condition: wrong.clone(),
            },
        ),
        ("delete", Write::Delete { key: there.clone(), condition: wrong.clone() }),
        ("check", Write::Check { key: there.clone(), condition: wrong }),
    ];
    for (label, refusing) in refusing {
        let result = store.write(&[absent(&first), refusing, absent(&last)]).await;
        assert!(matches!(result, Err(WriteError::Refused(1))), "{label}: {result:?}");
        assert_eq!(read(store, &first).await, None, "{label}");
        assert_eq!(read(store, &last).await, None, "{label}");
        assert_eq!(read(store, &there).await, Some(item(&there, &[("revision", json!(1))])), "{label}");
    }
}

pub(super) async fn the_first_refusal_is_named(store: &dyn Store, scope: &str) {
    let key = |n: u32| Key::composite(Table::Events, scope, n.to_string());
    put_all(store, vec![put(item(&key(2), &[]), Table::Events), put(item(&key(3), &[]), Table::Events)]).await;
    let result = store.write(&[absent(&key(0)), absent(&key(1)), absent(&key(3)), absent(&key(2))]).await;
    assert!(matches!(result, Err(WriteError::Refused(2))), "{result:?}");
}

pub(super) async fn all_kinds_of_writes_go_together(store: &dyn Store, scope: &str) {
    let key = |name: &str| Key::simple(Table::Policies, format!("{scope}-{name}"));
    let [changed, removed, checked] = ["changed", "removed", "checked"].map(key);
    let prepared = [&changed, &removed, &checked].map(|key| put(item(key, &[("n", json!(1))]), Table::Policies));
    put_all(store, prepared.to_vec()).await;
    let created = Key::composite(Table::RolloutJournal, scope, "1");
    let one = || Condition::Equals("n", json!(1));
    let writes = [
        absent(&created),
        Write::Update { key: changed.clone(), set: vec![], add: vec![("n", 1)], remove: vec![], condition: one() },
        Write::Delete { key: removed.clone(), condition: one() },
        Write::Check { key: checked.clone(), condition: one() },
    ];
    store.write(&writes).await.unwrap();
    assert_eq!(read(store, &created).await, Some(item(&created, &[])));
    assert_eq!(read(store, &changed).await, Some(item(&changed, &[("n", json!(2))])));
    assert_eq!(read(store, &removed).await, None);
    assert_eq!(read(store, &checked).await, Some(item(&checked, &[("n", json!(1))])));
}

pub(super) async fn a_transaction_has_limits(store: &dyn Store, scope: &str) {
    let key = |n: usize| Key::composite(Table::Events, scope, format!("{n:03}"));
    let writes = |count: usize| (0..count).map(|n| put(item(&key(n), &[]), Table::Events)).collect::<Vec<_>>();
    assert_rejected("101 writes", &store.write(&writes(101)).await);
    let twice = [put(item(&key(0), &[]), Table::Events), Write::Check { key: key(0), condition: Condition::Absent }];
    assert_rejected("one item twice", &store.write(&twice).await);
    assert_eq!(read(store, &key(0)).await, None);
    store.write(&writes(100)).await.expect("a hundred writes are one transaction");
    assert_eq!(read(store, &key(99)).await, Some(item(&key(99), &[])));
}
