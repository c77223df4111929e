//! Items as they go in and come out.

use serde_json::json;
use tidegate_engine::ports::{Condition, Freshness, Key, Store, StoreError, Table, Write};

use super::{assert_rejected, item, put, put_all};

pub(super) async fn an_item_comes_back_as_it_was(store: &dyn Store, scope: &str) {
    let key = Key::composite(Table::RolloutJournal, scope, "0001");
    let whole = item(
        &key,
        &[
            ("text", json!("Grüße, 世界")),
            ("empty", json!("")),
            ("int", json!(-42)),
            ("large", json!(9_007_199_254_740_993_i64)),
            ("share", json!(0.2)),
            ("truth", json!(true)),
            ("null", json!(null)),
            ("list", json!([1, "two", [3], {}])),
            ("map", json!({"a": {"b": []}, "ä b#:": 1})),
        ],
    );
    put_all(store, vec![put(whole.clone(), Table::RolloutJournal)]).await;
    for freshness in [Freshness::Consistent, Freshness::Eventual] {
        assert_eq!(store.get(&key, freshness).await.unwrap(), Some(whole.clone()));
    }
}

pub(super) async fn several_items_come_in_the_order_of_their_keys(store: &dyn Store, scope: &str) {
    let key = |n: u32| Key::simple(Table::Deliveries, format!("{scope}-{n}"));
    let other = Key::composite(Table::Images, scope, "tag#1");
    // More than one call of DynamoDB's takes.
    let stored: Vec<Key> = (0..130).filter(|n| n % 3 > 0).map(key).chain([other.clone()]).collect();
    for keys in stored.chunks(50) {
        let writes: Vec<Write> = keys.iter().map(|key| put(item(key, &[("is", json!(key.pk))]), key.table)).collect();
        store.write(&writes).await.expect("unconditional writes are made");
    }
    let mut asked: Vec<Key> = (0..130).rev().map(key).collect();
    asked.extend([other, key(1), key(1)]);
    for freshness in [Freshness::Consistent, Freshness::Eventual] {
        let found = store.get_many(&asked, freshness).await.unwrap();
        assert_eq!(found.len(), asked.len());
        for (key, found) in asked.iter().zip(found) {
            assert_eq!(found.is_some(), stored.contains(key), "{key}");
            assert!(found.is_none_or(|item| item["is"] == json!(key.pk)), "{key}");
        }
    }
    assert_eq!(store.get_many(&[], Freshness::Consistent).await.unwrap(), Vec::new());
}

pub(super) async fn what_is_not_there_is_none(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Devices, scope);
    assert_eq!(store.get(&key, Freshness::Consistent).await.unwrap(), None);
    let delete = Write::Delete { key: key.clone(), condition: Condition::Always };
    store.write(&[delete]).await.expect("deleting what is not there is no mistake");
    put_all(store, vec![put(item(&key, &[]), Table::Devices)]).await;
    store.write(&[Write::Delete { key: key.clone(), condition: Condition::Present }]).await.unwrap();
    assert_eq!(store.get(&key, Freshness::Consistent).await.unwrap(), None);
}

pub(super) async fn incomplete_keys_are_rejected(store: &dyn Store, scope: &str) {
    let keys = [
        ("no sort key", Key::simple(Table::Events, scope)),
        ("a sort key too many", Key::composite(Table::Devices, scope, "x")),
        ("an empty key", Key::simple(Table::Devices, "")),
        ("an empty sort key", Key::composite(Table::Events, scope, "")),
    ];
    for (label, key) in keys {
        let read = store.get(&key, Freshness::Consistent).await;
        assert!(matches!(read, Err(StoreError::Rejected(_))), "{label}: {read:?}");
        assert_rejected(label, &store.write(&[Write::Delete { key, condition: Condition::Always }]).await);
    }
    let keyless = item(&Key::simple(Table::Events, scope), &[]);
    assert_rejected("a put without its key", &store.write(&[put(keyless, Table::Events)]).await);
}

pub(super) async fn a_put_replaces_the_whole_item(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Policies, scope);
    let newer = item(&key, &[("b", json!(2))]);
    put_all(store, vec![put(item(&key, &[("a", json!(1))]), Table::Policies), put(newer.clone(), Table::Policies)])
        .await;
    assert_eq!(store.get(&key, Freshness::Consistent).await.unwrap(), Some(newer));
}

pub(super) async fn no_writes_are_no_call(store: &dyn Store, _scope: &str) {
    store.write(&[]).await.expect("nothing to do is done");
}

pub(super) async fn names_are_never_empty(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Policies, scope);
    for (name, value) in [("", json!(1)), ("map", json!({"": 1})), ("list", json!([{"a": {"": 1}}]))] {
        let result = store.write(&[put(item(&key, &[(name, value.clone())]), Table::Policies)]).await;
        assert_rejected(&format!("{name}: {value}"), &result);
    }
}
