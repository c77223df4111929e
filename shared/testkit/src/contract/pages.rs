//! Queries and scans.

use std::collections::BTreeSet;

use tidegate_engine::ports::{Freshness, Item, Key, Page, Query, Store, StoreError, Table};

use super::{item, put, put_all};

fn sort_keys(page: &Page) -> Vec<&str> {
    page.items.iter().map(|item| item["event_id"].as_str().unwrap()).collect()
}

async fn fill(store: &dyn Store, pk: &str, sort_keys: &[&str]) {
    let key = |sk: &&str| Key::composite(Table::Events, pk, *sk);
    put_all(store, sort_keys.iter().map(|sk| put(item(&key(sk), &[]), Table::Events)).collect()).await;
}

fn partition(pk: &str) -> Query {
    Query::partition(Table::Events, pk)
}

pub(super) async fn a_partition_is_in_order(store: &dyn Store, scope: &str) {
    fill(store, scope, &["b", "a", "ab", "B", "é", "10", "9"]).await;
    let mut expected = ["10", "9", "B", "a", "ab", "b", "é"];
    for freshness in [Freshness::Consistent, Freshness::Eventual] {
        let page = store.query(&Query { freshness, ..partition(scope) }).await.unwrap();
        assert_eq!(sort_keys(&page), expected);
        assert_eq!(page.next, None);
    }
    expected.reverse();
    let page = store.query(&Query { descending: true, ..partition(scope) }).await.unwrap();
    assert_eq!(sort_keys(&page), expected);
}

pub(super) async fn pages_continue_where_they_ended(store: &dyn Store, scope: &str) {
    fill(store, scope, &["1", "2", "3", "4", "5"]).await;
    for (descending, expected) in [(false, "12345"), (true, "54321")] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.query(&Query { limit: Some(2), after, descending, ..partition(scope) }).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(sort_keys(&page).into_iter().map(str::to_owned));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.concat(), expected);
    }
    let cases = [
        ("3", false, "45"),
        ("3", true, "21"),
        ("25", false, "345"),
        ("25", true, "21"),
        ("9", false, ""),
        ("9", true, "54321"),
    ];
    for (after, descending, expected) in cases {
        let query = Query { after: Some(after.into()), descending, ..partition(scope) };
        assert_eq!(sort_keys(&store.query(&query).await.unwrap()).concat(), expected, "after {after}, {descending}");
    }
    let none = store.query(&Query { limit: Some(0), ..partition(scope) }).await;
    assert!(matches!(none, Err(StoreError::Rejected(_))), "{none:?}");
}

pub(super) async fn a_prefix_selects(store: &dyn Store, scope: &str) {
    fill(store, scope, &["a", "tag#1", "tag#2", "tag#3", "tag", "tah", "z"]).await;
    let tagged = |after: Option<&str>, descending, limit| Query {
        prefix: Some("tag#".into()),
        after: after.map(Into::into),
        descending,
        limit,
        ..partition(scope)
    };
    let cases = [
        ("all", tagged(None, false, None), "tag#1 tag#2 tag#3"),
        ("downwards", tagged(None, true, None), "tag#3 tag#2 tag#1"),
        ("limited", tagged(None, false, Some(2)), "tag#1 tag#2"),
        ("limited, downwards", tagged(None, true, Some(2)), "tag#3 tag#2"),
        ("after one of them", tagged(Some("tag#1"), false, None), "tag#2 tag#3"),
        ("after none of them", tagged(Some("tag#11"), false, Some(1)), "tag#2"),
        ("after one of them, downwards", tagged(Some("tag#3"), true, None), "tag#2 tag#1"),
        ("after what is before", tagged(Some("a"), false, None), "tag#1 tag#2 tag#3"),
        ("after what is behind", tagged(Some("z"), false, None), ""),
        ("after what is behind, downwards", tagged(Some("z"), true, None), "tag#3 tag#2 tag#1"),
        ("after what is before, downwards", tagged(Some("a"), true, None), ""),
    ];
    for (label, query, expected) in cases {
        assert_eq!(sort_keys(&store.query(&query).await.unwrap()).join(" "), expected, "{label}");
    }
}

pub(super) async fn other_partitions_stay_out(store: &dyn Store, scope: &str) {
    fill(store, &format!("{scope}-a"), &["1"]).await;
    fill(store, &format!("{scope}-b"), &["2"]).await;
    let page = store.query(&partition(&format!("{scope}-b"))).await.unwrap();
    assert_eq!(sort_keys(&page), ["2"]);
    assert_eq!(store.query(&partition(&format!("{scope}-c"))).await.unwrap(), Page::default());
}

pub(super) async fn a_scan_sees_every_item(store: &dyn Store, scope: &str) {
    let keys: BTreeSet<String> = (0..7).map(|n| format!("{scope}-{n}")).collect();
    let write = |pk: &String| put(item(&Key::simple(Table::Policies, pk.as_str()), &[]), Table::Policies);
    put_all(store, keys.iter().map(write).collect()).await;
    for limit in [None, Some(3)] {
        let (mut seen, mut after) = (BTreeSet::new(), None::<String>);
        loop {
            let page = store.scan(Table::Policies, after.as_deref(), limit).await.unwrap();
            let id = |item: &Item| item["id"].as_str().unwrap().to_owned();
            for id in page.items.iter().map(id).filter(|id| id.starts_with(scope)) {
                assert!(seen.insert(id), "no item comes twice");
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, keys);
    }
    let sorted = store.scan(Table::Events, None, None).await;
    assert!(matches!(sorted, Err(StoreError::Rejected(_))), "{sorted:?}");
}

pub(super) async fn what_a_query_selects_is_counted(store: &dyn Store, scope: &str) {
    for n in 0..7 {
        let key = Key::composite(Table::DeviceImages, scope, format!("{n}"));
        put_all(store, vec![put(item(&key, &[]), Table::DeviceImages)]).await;
    }
    let all = Query::partition(Table::DeviceImages, scope);
    assert_eq!(store.count(&all).await.unwrap(), (7, None));
    let after = Query { after: Some("2".to_owned()), ..all.clone() };
    assert_eq!(store.count(&after).await.unwrap(), (4, None));
    let some = Query { limit: Some(3), ..after };
    let (counted, next) = store.count(&some).await.unwrap();
    assert_eq!((counted, next.as_deref()), (3, Some("5")));
    assert_eq!(store.count(&Query::partition(Table::DeviceImages, "nobody")).await.unwrap(), (0, None));
}
