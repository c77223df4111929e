//! Conditions of every kind.

use serde_json::{Value, json};
use tidegate_engine::ports::{Condition, Freshness, Key, Store, Table, Write, WriteError};

use super::{item, put, put_all};

pub(super) async fn each_condition_decides(store: &dyn Store, scope: &str) {
    let there = Key::simple(Table::Policies, format!("{scope}-there"));
    let missing = Key::simple(Table::Policies, format!("{scope}-missing"));
    let attributes =
        [("status", json!("live")), ("revision", json!(7)), ("paused", json!(false)), ("note", Value::Null)];
    put_all(store, vec![put(item(&there, &attributes), Table::Policies)]).await;

    let equals = |name, value: Value| Condition::Equals(name, value);
    let cases = [
        ("always", Condition::Always, true, true),
        ("absent", Condition::Absent, false, true),
        ("present", Condition::Present, true, false),
        ("equal text", equals("status", json!("live")), true, false),
        ("other text", equals("status", json!("ended")), false, false),
        ("equal number", equals("revision", json!(7)), true, false),
        ("a number is no text", equals("revision", json!("7")), false, false),
        ("equal truth", equals("paused", json!(false)), true, false),
        ("equal null", equals("note", Value::Null), true, false),
        ("equal to what is missing", equals("nothing", json!(1)), false, false),
        ("one of", Condition::OneOf("status", vec![json!("ended"), json!("live")]), true, false),
        ("none of", Condition::OneOf("status", vec![json!("ended")]), false, false),
        ("one of nothing", Condition::OneOf("status", vec![]), false, false),
        ("below", Condition::Below("revision", 8), true, false),
        ("not below itself", Condition::Below("revision", 7), false, false),
        ("a text is not below", Condition::Below("status", 8), false, false),
        ("what is missing is not below", Condition::Below("nothing", 8), false, false),
        ("missing", Condition::Missing("nothing"), true, true),
        ("not missing", Condition::Missing("status"), false, true),
        ("null is not missing", Condition::Missing("note"), false, true),
        ("all", Condition::All(vec![equals("revision", json!(7)), Condition::Present]), true, false),
        ("not all", Condition::All(vec![equals("revision", json!(7)), Condition::Absent]), false, false),
        ("all of nothing", Condition::All(vec![]), true, true),
        ("any", Condition::Any(vec![Condition::Absent, equals("revision", json!(7))]), true, true),
        ("not any", Condition::Any(vec![Condition::Absent, equals("revision", json!(8))]), false, true),
        ("any of nothing", Condition::Any(vec![]), false, false),
        (
            "nested",
            Condition::All(vec![
                Condition::Present,
                Condition::Any(vec![Condition::Missing("status"), Condition::Below("revision", 100)]),
                Condition::Always,
            ]),
            true,
            false,
        ),
    ];
    for (label, condition, holds_there, holds_missing) in cases {
        for (key, holds) in [(&there, holds_there), (&missing, holds_missing)] {
            let check = Write::Check { key: key.clone(), condition: condition.clone() };
            let result = store.write(&[check]).await;
            let as_expected = if holds { result.is_ok() } else { matches!(result, Err(WriteError::Refused(0))) };
            assert!(as_expected, "{label} of {key}: {result:?}");
        }
    }
}

pub(super) async fn a_refused_write_changes_nothing(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Policies, scope);
    let before = item(&key, &[("revision", json!(1))]);
    put_all(store, vec![put(before.clone(), Table::Policies)]).await;
    let wrong = || Condition::Equals("revision", json!(2));
    let writes = [
        ("put", Write::Put { table: Table::Policies, item: item(&key, &[]), condition: Condition::Absent }),
        (
            "update",
            Write::Update {
                key: key.clone(),
                set: vec![("status", json!("x"))],
                add: vec![("revision", 1)],
                remove: vec![],
                condition: wrong(),
            },
        ),
        ("delete", Write::Delete { key: key.clone(), condition: wrong() }),
    ];
    for (label, write) in writes {
        let result = store.write(&[write]).await;
        assert!(matches!(result, Err(WriteError::Refused(0))), "{label}: {result:?}");
        let after = store.get(&key, Freshness::Consistent).await.unwrap();
        assert_eq!(after.as_ref(), Some(&before), "{label}");
    }
}

/// More alternatives than one `IN` of DynamoDB takes.
pub(super) async fn many_alternatives_are_one_condition(store: &dyn Store, scope: &str) {
    let key = Key::simple(Table::Policies, scope);
    put_all(store, vec![put(item(&key, &[("n", json!(149))]), Table::Policies)]).await;
    for (upto, holds) in [(150, true), (149, false)] {
        let condition = Condition::OneOf("n", (0..upto).map(Value::from).collect());
        let result = store.write(&[Write::Check { key: key.clone(), condition }]).await;
        assert_eq!(result.is_ok(), holds, "{result:?}");
    }
}
