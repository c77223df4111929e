//! Changes of single attributes.

use serde_json::json;
use tidegate_engine::ports::{Condition, Freshness, Key, Store, Table, Write};

use super::{assert_rejected, item, put, put_all};

type Changes = (Vec<(&'static str, serde_json::Value)>, Vec<(&'static str, i64)>, Vec<&'static str>);

fn update(key: &Key, (set, add, remove): Changes) -> Write {
    Write::Update { key: key.clone(), set, add, remove, condition: Condition::Always }
}

pub(super) async fn an_update_creates_the_item(store: &dyn Store, scope: &str) {
    let key = Key::composite(Table::Images, scope, "head");
    let changes = || (vec![("status", json!("live"))], vec![("generation", 1)], vec!["nothing"]);
    store.write(&[update(&key, changes())]).await.unwrap();
    let created = item(&key, &[("status", json!("live")), ("generation", json!(1))]);
    assert_eq!(store.get(&key, Freshness::Consistent).await.unwrap(), Some(created));

    let other = Key::composite(Table::Images, scope, "other");
    store.write(&[update(&other, (vec![], vec![], vec!["nothing"]))]).await.unwrap();
    assert_eq!(store.get(&other, Freshness::Consistent).await.unwrap(), Some(item(&other, &[])));
}

pub(super) async fn an_update_sets_adds_and_removes(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Rollouts, scope);
    let attributes = [("status", json!("live")), ("open_to", json!(10)), ("reason", json!("x")), ("kept", json!([1]))];
    put_all(store, vec![put(item(&key, &attributes), Table::Rollouts)]).await;
    let changes = (
        vec![("status", json!("paused")), ("map", json!({"k": null}))],
        vec![("open_to", -3), ("revision", 2)],
        vec!["reason", "nothing"],
    );
    store.write(&[update(&key, changes)]).await.unwrap();
    let expected = item(
        &key,
        &[
            ("status", json!("paused")),
            ("map", json!({"k": null})),
            ("open_to", json!(7)),
            ("revision", json!(2)),
            ("kept", json!([1])),
        ],
    );
    assert_eq!(store.get(&key, Freshness::Consistent).await.unwrap(), Some(expected));
}

pub(super) async fn wrong_updates_are_rejected(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Policies, scope);
    let before = item(&key, &[("text", json!("x"))]);
    put_all(store, vec![put(before.clone(), Table::Policies)]).await;
    let cases: Vec<(&str, Changes)> = vec![
        ("nothing", (vec![], vec![], vec![])),
        ("adding to a text", (vec![], vec![("text", 1)], vec![])),
        ("setting the key", (vec![("id", json!("y"))], vec![], vec![])),
        ("removing the key", (vec![], vec![], vec!["id"])),
        ("one attribute twice", (vec![("n", json!(1))], vec![("n", 1)], vec![])),
    ];
    for (label, changes) in cases {
        assert_rejected(label, &store.write(&[update(&key, changes.clone())]).await);
        let other = Write::Put {
            table: Table::Policies,
            item: item(&Key::simple(Table::Policies, format!("{scope}-other")), &[]),
            condition: Condition::Always,
        };
        let together = store.write(&[other, update(&key, changes)]).await;
        assert_rejected(&format!("{label}, in a transaction"), &together);
    }
    assert_eq!(store.get(&key, Freshness::Consistent).await.unwrap(), Some(before));
    let other = Key::simple(Table::Policies, format!("{scope}-other"));
    assert_eq!(store.get(&other, Freshness::Consistent).await.unwrap(), None);
}
