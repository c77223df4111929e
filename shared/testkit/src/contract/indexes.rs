//! Sparse indexes that hold keys.

use serde_json::json;
use tidegate_engine::ports::{Condition, Freshness, Index, Item, Key, Query, Source, Store, Table, Write};

use super::{assert_rejected, item, put, put_all};

fn live(pk: &str) -> Query {
    Query {
        source: Source::Index(Index::LiveRollouts),
        freshness: Freshness::Eventual,
        ..Query::partition(Table::Rollouts, pk)
    }
}

async fn ids(store: &dyn Store, query: &Query) -> Vec<String> {
    let page = store.query(query).await.unwrap();
    page.items.iter().map(|item| item["rollout_id"].as_str().unwrap().to_owned()).collect()
}

fn change(key: &Key, set: Vec<(&'static str, serde_json::Value)>, remove: Vec<&'static str>) -> Write {
    Write::Update { key: key.clone(), set, add: vec![], remove, condition: Condition::Present }
}

pub(super) async fn an_index_holds_only_what_has_its_key(store: &dyn Store, scope: &str) {
    let key = |name: &str| Key::simple(Table::Rollouts, format!("{scope}-{name}"));
    let [one, two, three] = ["1", "2", "3"].map(key);
    let attributes = [("live", json!(scope)), ("status", json!("rolling_out"))];
    put_all(
        store,
        vec![
            put(item(&one, &attributes), Table::Rollouts),
            put(item(&two, &attributes), Table::Rollouts),
            put(item(&three, &attributes[1..]), Table::Rollouts),
        ],
    )
    .await;

    let page = store.query(&live(scope)).await.unwrap();
    let entry =
        |key: &Key| Item::from_iter([("live".into(), scope.into()), ("rollout_id".into(), key.pk.as_str().into())]);
    assert_eq!(page.items, [entry(&one), entry(&two)], "keys only");

    let elsewhere = format!("{scope}-elsewhere");
    let steps = [
        ("entering", change(&three, vec![("live", json!(scope))], vec![]), vec![&one, &two, &three]),
        ("another attribute", change(&one, vec![("status", json!("paused"))], vec![]), vec![&one, &two, &three]),
        ("leaving", change(&one, vec![], vec!["live"]), vec![&two, &three]),
        ("moving", change(&two, vec![("live", json!(elsewhere))], vec![]), vec![&three]),
        ("a put without it", put(item(&three, &[]), Table::Rollouts), vec![]),
        ("a put with it", put(item(&three, &attributes), Table::Rollouts), vec![&three]),
        ("a delete", Write::Delete { key: three.clone(), condition: Condition::Always }, vec![]),
    ];
    for (label, write, expected) in steps {
        store.write(&[write]).await.unwrap();
        let expected: Vec<&str> = expected.iter().map(|key| key.pk.as_str()).collect();
        assert_eq!(ids(store, &live(scope)).await, expected, "{label}");
    }
    assert_eq!(ids(store, &live(&elsewhere)).await, [two.pk.as_str()]);
    assert_rejected("a number as key", &store.write(&[change(&one, vec![("live", json!(1))], vec![])]).await);
}

pub(super) async fn an_index_is_read_in_pages(store: &dyn Store, scope: &str) {
    let id = |n: usize| format!("{scope}-{n}");
    let rollout = |n: usize| item(&Key::simple(Table::Rollouts, id(n)), &[("list", json!(scope))]);
    put_all(store, (1..=5).map(|n| put(rollout(n), Table::Rollouts)).collect()).await;
    let by_time = |descending, limit, after| Query {
        source: Source::Index(Index::RolloutsByTime),
        descending,
        limit,
        after,
        ..live(scope)
    };
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.query(&by_time(true, Some(2), after)).await.unwrap();
        seen.extend(page.items.iter().map(|item| item["rollout_id"].as_str().unwrap().to_owned()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1].map(id));
    assert_eq!(ids(store, &by_time(false, Some(2), Some(id(2)))).await, [3, 4].map(id));
}
