//! What calls cost, as DynamoDB counts it: every store's meter must say the same.

use serde_json::{Value, json};
use tidegate_engine::ports::{Condition, Freshness, Index, Key, Meter, Query, Source, Store, Table, Units, Write};

use super::{item, put};

/// One priced call.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// What was done.
    pub label: &'static str,
    /// What DynamoDB's documentation says it costs.
    pub expected: Units,
    /// What the store's meter counted.
    pub counted: Units,
}

/// Runs priced calls one after the other on keys that begin with `scope`.
pub async fn prices(store: &dyn Store, meter: &Meter, scope: &str) -> Vec<Price> {
    let mut prices = Vec::new();
    for (label, call, reads, writes) in calls(scope) {
        let before = meter.total();
        call.make(store).await;
        let expected = Units { reads, writes };
        prices.push(Price { label, expected, counted: meter.total() - before });
    }
    prices
}

enum Call {
    Get(Key, Freshness),
    Query(Query),
    Write(Vec<Write>),
}

impl Call {
    async fn make(self, store: &dyn Store) {
        match self {
            Self::Get(key, freshness) => drop(store.get(&key, freshness).await.unwrap()),
            Self::Query(query) => drop(store.query(&query).await.unwrap()),
            Self::Write(writes) => store.write(&writes).await.unwrap(),
        }
    }
}

/// An item of exactly this many bytes.
fn sized(key: &Key, bytes: usize) -> Write {
    let with = |fill: usize| item(key, &[("fill", json!("x".repeat(fill)))]);
    let fill = bytes - crate::memory::item_bytes(&with(0));
    put(with(fill), key.table)
}

fn set(key: &Key, name: &'static str, value: Value) -> Write {
    Write::Update {
        key: key.clone(),
        set: vec![(name, value)],
        add: vec![],
        remove: vec![],
        condition: Condition::Always,
    }
}

fn calls(scope: &str) -> Vec<(&'static str, Call, f64, f64)> {
    use Freshness::{Consistent, Eventual};
    let one = |write: Write| Call::Write(vec![write]);
    let key = |name: &str| Key::simple(Table::Policies, format!("{scope}-{name}"));
    let rollout = |name: &str| Key::simple(Table::Rollouts, format!("{scope}-{name}"));
    let row = |n: u32| Key::composite(Table::DeviceRollouts, scope, n.to_string());
    let delete = |key: Key| Write::Delete { key, condition: Condition::Always };
    let index =
        |index| Query { source: Source::Index(index), freshness: Eventual, ..Query::partition(Table::Rollouts, scope) };
    let rows = |freshness| Query { freshness, ..Query::partition(Table::DeviceRollouts, scope) };
    let values = json!({"n": [1, -1200, 0.25, 1_700_000_000, 12_345], "b": [true, null, ""], "m": {"ä": {}}});
    let mixed = || item(&key("mixed"), &[("v", values.clone())]);
    let fitting = |bytes: usize| {
        let mut whole = mixed();
        let fill = bytes - crate::memory::item_bytes(&whole) - "fill".len();
        whole.insert("fill".into(), "x".repeat(fill).into());
        put(whole, Table::Policies)
    };
    let indexed = |name: &str, live: bool| {
        let mut attributes: Vec<(&str, Value)> = vec![("list", json!(scope)), ("status", json!("x"))];
        if live {
            attributes.push(("live", json!(scope)));
        }
        put(item(&rollout(name), &attributes), Table::Rollouts)
    };
    let leave = |name: &str| Write::Update {
        key: rollout(name),
        set: vec![],
        add: vec![],
        remove: vec!["live"],
        condition: Condition::Present,
    };
    vec![
        ("eventual read of nothing", Call::Get(key("a"), Eventual), 0.5, 0.0),
        ("consistent read of nothing", Call::Get(key("a"), Consistent), 1.0, 0.0),
        ("put of a small item", one(put(item(&key("a"), &[]), Table::Policies)), 0.0, 1.0),
        ("the same put again", one(put(item(&key("a"), &[]), Table::Policies)), 0.0, 1.0),
        ("eventual read of a small item", Call::Get(key("a"), Eventual), 0.5, 0.0),
        ("consistent read of a small item", Call::Get(key("a"), Consistent), 1.0, 0.0),
        ("put of 1024 bytes", one(sized(&key("a"), 1024)), 0.0, 1.0),
        ("put of 1025 bytes", one(sized(&key("a"), 1025)), 0.0, 2.0),
        ("put of 1024 bytes of every kind", one(fitting(1024)), 0.0, 1.0),
        ("put of 1025 bytes of every kind", one(fitting(1025)), 0.0, 2.0),
        ("put of 4096 bytes", one(sized(&key("a"), 4096)), 0.0, 4.0),
        ("consistent read of 4096 bytes", Call::Get(key("a"), Consistent), 1.0, 0.0),
        ("put of 4097 bytes", one(sized(&key("a"), 4097)), 0.0, 5.0),
        ("eventual read of 4097 bytes", Call::Get(key("a"), Eventual), 1.0, 0.0),
        ("small change of 4097 bytes", one(set(&key("a"), "n", json!(1))), 0.0, 5.0),
        ("removal of most of it", one(put(item(&key("a"), &[]), Table::Policies)), 0.0, 5.0),
        ("delete of a small item", one(delete(key("a"))), 0.0, 1.0),
        ("delete of nothing", one(delete(key("a"))), 0.0, 1.0),
        ("an update that creates", one(set(&key("b"), "n", json!(1))), 0.0, 1.0),
        ("put into two indexes", one(indexed("r", true)), 0.0, 3.0),
        ("change of what no index holds", one(set(&rollout("r"), "status", json!("y"))), 0.0, 1.0),
        ("a move within an index", one(set(&rollout("r"), "live", json!(format!("{scope}-2")))), 0.0, 3.0),
        ("leaving an index", one(leave("r")), 0.0, 2.0),
        ("delete from the other index", one(delete(rollout("r"))), 0.0, 2.0),
        (
            "put into one index, in a transaction",
            transaction(vec![indexed("s", false), set(&key("b"), "n", json!(2))]),
            0.0,
            5.0,
        ),
        (
            "two checks and a write",
            transaction(vec![
                Write::Check { key: key("b"), condition: Condition::Present },
                Write::Check { key: key("nothing"), condition: Condition::Absent },
                put(item(&key("c"), &[]), Table::Policies),
            ]),
            0.0,
            6.0,
        ),
        ("a check alone", one(Write::Check { key: key("b"), condition: Condition::Present }), 0.0, 2.0),
        ("1025 bytes in a transaction", transaction(vec![sized(&key("d"), 1025), delete(key("c"))]), 0.0, 6.0),
        ("eventual query of nothing", Call::Query(rows(Eventual)), 0.5, 0.0),
        ("consistent query of nothing", Call::Query(rows(Consistent)), 1.0, 0.0),
        ("ten rows of 500 bytes", transaction((0..10).map(|n| sized(&row(n), 500)).collect()), 0.0, 20.0),
        ("consistent query of 5000 bytes", Call::Query(rows(Consistent)), 2.0, 0.0),
        ("eventual query of 5000 bytes", Call::Query(rows(Eventual)), 1.0, 0.0),
        ("query of two of them", Call::Query(Query { limit: Some(2), ..rows(Consistent) }), 1.0, 0.0),
        ("query of an index", Call::Query(index(Index::RolloutsByTime)), 0.5, 0.0),
        ("query of an empty index", Call::Query(index(Index::LiveRollouts)), 0.5, 0.0),
    ]
}

fn transaction(writes: Vec<Write>) -> Call {
    Call::Write(writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sized_items_have_their_size() {
        for bytes in [100, 1024, 1025] {
            let Write::Put { item, .. } = sized(&Key::simple(Table::Policies, "p"), bytes) else { unreachable!() };
            assert_eq!(crate::memory::item_bytes(&item), bytes);
        }
    }
}
