use serde_json::{Value, json};

use super::*;
use crate::strategy::compile;

/// A policy of this name, pattern and selector, with the defaults for the rest.
pub(super) fn policy(name: &str, pattern: &str, fleet_id: Option<&str>, tags: &[(&str, &str)]) -> Policy {
    let raw = RawPolicy {
        fleet_id: fleet_id.map(str::to_owned),
        device_tags: Some(tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()),
        ..RawPolicy::new(name, pattern)
    };
    raw.validate(&PolicyDefaults::default(), PolicyId::trusted("p"), Timestamp::UNIX_EPOCH, Origin::Api).unwrap()
}

fn validated(value: &Value) -> Result<Policy, Vec<FieldError>> {
    let (id, now) = (PolicyId::trusted("p"), Timestamp::UNIX_EPOCH);
    RawPolicy::checked(value, &PolicyDefaults::default(), id, now, Origin::Api)
}

/// `written` beside a name and a pattern.
fn with(mut written: Value) -> Value {
    written["name"] = json!("n");
    written["image_pattern"] = json!("o/app:*");
    written
}

fn full() -> Value {
    json!({
        "name": "production-app", "image_pattern": "ghcr.io/iotistic/app:v*", "update_strategy": "scheduled",
        "staged_batches": [1, "12.5%", "100%"], "batch_delay": "45s", "soak_seconds": 7,
        "health_check_enabled": false, "health_check_timeout_seconds": 100,
        "health_check": {"type": "tcp", "port": 80, "timeout_seconds": 4, "retry_count": 5, "interval_seconds": 6},
        "healthy_for_seconds": 20, "auto_rollback": false, "rollback_timeout_seconds": 50, "count_timeouts": false,
        "max_failure_rate": 0.35, "max_consecutive_failures": 9, "maintenance_window_start": "22:30:00",
        "maintenance_window_end": "04:00:00", "timezone": "device", "fallback_timezone": "Europe/Berlin",
        "days": ["mon", "tue"], "cutoff_minutes": 20, "not_before": "2026-12-01T20:00:00Z", "offline_grace_hours": 1, "lock_grace_hours": 2,
        "approval_expiry_hours": 3, "min_approvals": 1, "on_newer": "queue", "on_failure": "rollback_all",
        "on_drift": "hold", "max_in_flight": 8, "stall_seconds": 1000, "total_seconds": 2000,
        "fleet_id": "production", "device_tags": {"region": "us-east"},
    })
}

#[test]
fn what_is_left_out_is_filled_in() {
    let policy = validated(&json!({"name": "n", "image_pattern": "o/app"})).unwrap();
    assert_eq!(
        serde_json::to_value(PolicyView::from(&policy)).unwrap(),
        json!({
            "id": "p", "name": "n", "image_pattern": "docker.io/o/app:*", "update_strategy": "staged",
            "staged_batches": 3, "batch_delay_minutes": 30, "soak_seconds": 600, "health_check_enabled": true,
            "health_check_timeout_seconds": 300,
            "health_check": {"type": "container_running", "timeout_seconds": 30, "retry_count": 3,
                             "interval_seconds": 30},
            "healthy_for_seconds": 60, "auto_rollback": true, "rollback_timeout_seconds": 600,
            "count_timeouts": true, "max_failure_rate": 0.2, "max_consecutive_failures": 3,
            "offline_grace_hours": 24, "lock_grace_hours": 24, "approval_expiry_hours": 72, "min_approvals": 1,
            "on_newer": "supersede", "on_failure": "pause", "on_drift": "converge", "stall_seconds": 1200,
            "total_seconds": 7200, "device_tags": {}, "created_at": "1970-01-01T00:00:00Z",
            "updated_at": "1970-01-01T00:00:00Z", "origin": "api", "revision": 1,
        })
    );
    assert_eq!(policy.deadline_seconds(), 900);
}

#[test]
fn everything_that_is_said_is_kept_and_answered() {
    let policy = validated(&full()).unwrap();
    let answered = serde_json::to_value(PolicyView::from(&policy)).unwrap();
    for (name, written) in full().as_object().unwrap() {
        assert_eq!(&answered[name], written, "{name}");
    }
    for name in RawPolicy::FIELDS {
        let told_otherwise = ["batch_delay_minutes"].contains(name);
        assert!(answered.get(name).is_some() || told_otherwise, "{name} is answered");
    }
}

#[test]
fn an_answer_can_be_sent_back() {
    for written in [full(), json!({"name": "n", "image_pattern": "nginx"}), with(json!({"batch_delay_minutes": 2}))] {
        let policy = validated(&written).unwrap();
        let answer = serde_json::to_value(PolicyView::from(&policy)).unwrap();
        assert_eq!(validated(&answer), Ok(policy));
    }
}

#[test]
fn a_policy_and_its_raw_form_survive_storing() {
    let policy = validated(&full()).unwrap();
    let stored = serde_json::to_value(&policy).unwrap();
    assert_eq!(serde_json::from_value::<Policy>(stored).unwrap(), policy);
    let raw: RawPolicy = serde_json::from_value(full()).unwrap();
    assert_eq!(serde_json::to_value(&raw).unwrap(), full(), "a field left out is not sent");
    let error = serde_json::from_value::<RawPolicy>(json!({"naem": 1, "days": 2})).unwrap_err().to_string();
    assert!(error.contains("/naem: unknown field; did you mean name?") && error.contains("/days"), "{error}");
}

#[test]
fn effective_values_follow_from_one_another() {
    let of = |written| validated(&with(written)).unwrap();
    assert_eq!(of(json!({"batch_delay": "5m"})).soak_seconds, 300, "soak is the smaller of 600 and the delay");
    assert_eq!(of(json!({"batch_delay_minutes": 0})).soak_seconds, 0);
    assert_eq!(of(json!({"batch_delay_minutes": 0, "soak_seconds": 90})).soak_seconds, 90);
    let short = of(json!({"health_check_timeout_seconds": 10, "rollback_timeout_seconds": 20, "stall_seconds": 1}));
    assert_eq!(short.health.healthy_for_seconds, 5, "a short time leaves room for its verdict");
    assert_eq!((short.deadline_seconds(), short.stall_seconds), (30, 330));
    assert_eq!(of(json!({"stall_seconds": 9000})).total_seconds, 9000, "the second clock is never the shorter one");
    assert_eq!(of(json!({"max_failure_rate": "12.5%"})).max_failure_rate.ppm(), 125_000);
    assert_eq!(of(json!({"max_failure_rate": 1})).max_failure_rate, Rate::ALL);
    let timezone_alone = of(json!({"timezone": "Europe/Berlin"}));
    assert_eq!(timezone_alone.window, None, "a zone without a window restricts nothing");
}

/// Asserts that each body's mistakes are of exactly these fields.
fn told(cases: &[(&str, Value, &[&str])]) {
    for (label, written, pointers) in cases {
        let errors = validated(written).expect_err(label);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), *pointers, "{label}");
        assert!(errors.iter().all(|error| !error.detail.is_empty()), "{label}");
    }
}

#[test]
fn one_mistake_hides_no_other_and_makes_up_none() {
    let cases: [(&str, Value, &[&str]); 8] = [
        (
            "an unknown field hides nothing",
            with(
                json!({"rack": 1, "update_strategy": "al", "max_failure_rate": 2, "timezone": "+02:00", "days": ["x"]}),
            ),
            &["/rack", "/timezone", "/days", "/update_strategy", "/max_failure_rate"],
        ),
        (
            "a type hides nothing",
            with(json!({"soak_seconds": "x", "stall_seconds": 0})),
            &["/soak_seconds", "/stall_seconds"],
        ),
        (
            "a part of a check hides nothing",
            with(
                json!({"health_check": {"type": "http", "retry_count": "x", "rack": 1, "timeout_seconds": 0}, "on_newer": ""}),
            ),
            &[
                "/health_check/rack",
                "/health_check/retry_count",
                "/health_check/timeout_seconds",
                "/health_check/endpoint",
                "/on_newer",
            ],
        ),
        (
            "of a kind that there is not, no part is foreign",
            with(json!({"health_check": {"type": "htpp", "endpoint": "http://a/"}})),
            &["/health_check/type"],
        ),
        (
            "nothing follows from a time that is none",
            with(
                json!({"maintenance_window_start": 2, "maintenance_window_end": 3, "days": ["mon"], "cutoff_minutes": 5,
                        "update_strategy": "scheduled"}),
            ),
            &["/maintenance_window_end", "/maintenance_window_start"],
        ),
        (
            "nothing follows from a timeout that is none",
            with(json!({"health_check_timeout_seconds": "5m", "healthy_for_seconds": 5000})),
            &["/health_check_timeout_seconds"],
        ),
        ("a zone that is no text", with(json!({"timezone": 1, "fallback_timezone": "UTC"})), &["/timezone"]),
        (
            "tags and more",
            with(json!({"device_tags": {"rack": 7, "a:b": "c"}, "rack": 1})),
            &["/device_tags/rack", "/rack", "/device_tags/a:b"],
        ),
    ];
    told(&cases);
}

#[test]
fn every_mistake_is_told_by_its_field() {
    let cases: [(&str, Value, &[&str]); 34] = [
        ("no object", json!([]), &[""]),
        ("nothing", json!({}), &["/name", "/image_pattern"]),
        ("an empty name", json!({"name": "", "image_pattern": "o/a"}), &["/name"]),
        ("a name with space around", json!({"name": " n", "image_pattern": "o/a"}), &["/name"]),
        ("a bad pattern", json!({"name": "n", "image_pattern": "O/A"}), &["/image_pattern"]),
        ("another registry", json!({"name": "n", "image_pattern": "quay.io/o/a"}), &["/image_pattern"]),
        ("another's id", with(json!({"id": "q"})), &["/id"]),
        ("an unknown field", with(json!({"on_never": "queue"})), &["/on_never"]),
        ("a slash in a name", with(json!({"a/b~c": 1})), &["/a~1b~0c"]),
        ("a strategy", with(json!({"update_strategy": "Staged"})), &["/update_strategy"]),
        ("scheduled at no time", with(json!({"update_strategy": "scheduled"})), &["/update_strategy"]),
        ("batches", with(json!({"staged_batches": "10%"})), &["/staged_batches"]),
        ("two delays", with(json!({"batch_delay": "1s", "batch_delay_minutes": 1})), &["/batch_delay"]),
        ("a delay without unit", with(json!({"batch_delay": "45"})), &["/batch_delay"]),
        ("a delay as number", with(json!({"batch_delay": 45})), &["/batch_delay"]),
        ("a delay too long", with(json!({"batch_delay_minutes": 4_294_967_295_u32})), &["/batch_delay_minutes"]),
        ("a fraction", with(json!({"batch_delay_minutes": 0.5})), &["/batch_delay_minutes"]),
        ("a negative", with(json!({"soak_seconds": -1})), &["/soak_seconds"]),
        ("a truth as text", with(json!({"auto_rollback": "yes"})), &["/auto_rollback"]),
        ("a health check", with(json!({"health_check": {"type": "tcp"}})), &["/health_check/port"]),
        (
            "health that never fits",
            with(json!({"healthy_for_seconds": 60, "health_check_timeout_seconds": 60})),
            &["/healthy_for_seconds"],
        ),
        ("a rate above all", with(json!({"max_failure_rate": 20})), &["/max_failure_rate"]),
        ("a rate as text", with(json!({"max_failure_rate": "0.2"})), &["/max_failure_rate"]),
        ("half a window", with(json!({"maintenance_window_start": "02:00"})), &["/maintenance_window_end"]),
        (
            "a window without length",
            with(json!({"maintenance_window_start": "02:00", "maintenance_window_end": "02:00:00"})),
            &["/maintenance_window_end"],
        ),
        (
            "a bad time, zone and day",
            with(json!({"maintenance_window_start": "2:00", "maintenance_window_end": "03:00", "timezone": "+01:00",
                        "days": ["noday"]})),
            &["/maintenance_window_start", "/timezone", "/days"],
        ),
        ("a zone for nobody", with(json!({"timezone": "UTC", "fallback_timezone": "UTC"})), &["/fallback_timezone"]),
        ("days without a window", with(json!({"days": ["mon"], "cutoff_minutes": 1})), &["/days", "/cutoff_minutes"]),
        ("a start without a zone", with(json!({"not_before": "2026-12-01T20:00:00"})), &["/not_before"]),
        ("two approvers", with(json!({"min_approvals": 2})), &["/min_approvals"]),
        (
            "words",
            with(json!({"on_newer": "", "on_failure": "stop", "on_drift": 1})),
            &["/on_drift", "/on_newer", "/on_failure"],
        ),
        ("more words", with(json!({"on_newer": "", "on_failure": "stop"})), &["/on_newer", "/on_failure"]),
        (
            "numbers",
            with(json!({"max_in_flight": 0, "max_consecutive_failures": 0, "offline_grace_hours": 9000})),
            &["/max_consecutive_failures", "/offline_grace_hours", "/max_in_flight"],
        ),
        ("a selector", with(json!({"fleet_id": " ", "device_tags": {"a:b": "c"}})), &["/fleet_id", "/device_tags/a:b"]),
    ];
    told(&cases);
    let tags = validated(&with(json!({"device_tags": {"rack": 7, "row": true}}))).unwrap_err();
    assert_eq!(tags[0].pointer, "/device_tags/rack");
    assert_eq!(tags[0].detail, "expected a text, in quotes where it looks like a number, got 7");
    assert_eq!(tags.len(), 2);
}

#[test]
fn a_registry_that_nobody_can_judge_is_taken() {
    let defaults = PolicyDefaults { allowed_registries: None, ..PolicyDefaults::default() };
    let raw = RawPolicy::new("n", "localhost:5000/app");
    let policy = raw.validate(&defaults, PolicyId::trusted("p"), Timestamp::UNIX_EPOCH, Origin::File).unwrap();
    assert_eq!(policy.image_pattern.registry(), "localhost:5000");
}

#[test]
fn auto_is_one_batch_of_all() {
    let staged = validated(&with(json!({}))).unwrap();
    assert_eq!(compile(&staged).boundaries(10), [1, 5, 10]);
    let auto = staged.clone().with_strategy(Strategy::Auto).unwrap();
    assert_eq!(compile(&auto).boundaries(10), [10]);
    assert_eq!(staged.with_strategy(Strategy::Scheduled).unwrap_err().pointer, "/update_strategy");
}

fn stored(body: &Value) -> WrittenPolicy {
    let (id, now) = (PolicyId::trusted("p"), Timestamp::UNIX_EPOCH);
    WrittenPolicy::new(body, &PolicyDefaults::default(), id, now, Origin::Api).unwrap()
}

/// An answer, as it is sent.
fn answered(policy: &WrittenPolicy) -> Value {
    let effective = policy.effective(&PolicyDefaults::default());
    let mut answer = serde_json::to_value(PolicyView::from(&effective.policy)).unwrap();
    answer["effective"] = serde_json::to_value(sources(policy, &effective)).unwrap();
    answer
}

#[test]
fn a_change_is_the_next_revision() {
    let defaults = PolicyDefaults::default();
    let first = stored(&with(json!({})));
    let later = Timestamp::from_second(1000).unwrap();
    let store =
        |body: Value| WrittenPolicy::new(&body, &defaults, PolicyId::trusted("q"), later, Origin::File).unwrap();
    assert!(store(with(json!({"batch_delay_minutes": null}))).same_content(&first, &defaults));
    let pinned = store(with(json!({"soak_seconds": 600})));
    assert!(!pinned.same_content(&first, &defaults), "what is said holds whatever the stack will say");
    let next = pinned.replacing(&first);
    assert_eq!((next.id.as_str(), next.revision), ("p", 2));
    assert_eq!((next.created_at, next.updated_at), (first.created_at, later));
    for (one, two) in [
        (json!({"batch_delay": "30m"}), json!({"batch_delay_minutes": 30})),
        (json!({"max_failure_rate": "20%"}), json!({"max_failure_rate": 0.2})),
        (json!({"device_tags": {}}), json!({})),
    ] {
        assert!(store(with(one.clone())).same_content(&stored(&with(two.clone())), &defaults), "{one} is {two}");
    }
}

#[test]
fn what_is_left_out_follows_the_stack() {
    let policy = stored(&with(json!({"healthy_for_seconds": 100, "soak_seconds": 5})));
    assert_eq!(Value::Object(policy.written.clone()), with(json!({"healthy_for_seconds": 100, "soak_seconds": 5})));
    let slow = PolicyDefaults { batch_delay_seconds: 7, ..PolicyDefaults::default() };
    let effective = policy.effective(&slow);
    assert_eq!((effective.policy.batch_delay_seconds, effective.policy.soak_seconds), (7, 5));
    assert_eq!(effective.why_not(), None);
    // What fitted once may not fit what the stack says now.
    let short = PolicyDefaults { health_check_timeout_seconds: 60, ..PolicyDefaults::default() };
    let unfit = policy.effective(&short);
    assert_eq!(unfit.mistakes.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), ["/healthy_for_seconds"]);
    assert!(unfit.why_not().unwrap().contains("/healthy_for_seconds: expected less than"), "{unfit:?}");
}

#[test]
fn each_value_tells_whose_it_is() {
    let policy = stored(&with(json!({
        "batch_delay": "45s", "health_check": {"type": "tcp", "port": 1, "retry_count": 9}, "max_in_flight": 4,
    })));
    let told = sources(&policy, &policy.effective(&PolicyDefaults::default()));
    let of = |name: &str| (told[name].value.clone(), told[name].from);
    for (name, value, from) in [
        ("batch_delay", json!("45s"), Source::Policy),
        ("max_in_flight", json!(4), Source::Policy),
        ("soak_seconds", json!(45), Source::BuiltIn),
        ("update_strategy", json!("staged"), Source::Stack),
        ("health_check.type", json!("tcp"), Source::Policy),
        ("health_check.retry_count", json!(9), Source::Policy),
        ("health_check.interval_seconds", json!(30), Source::Stack),
        ("health_check.timeout_seconds", json!(30), Source::BuiltIn),
        ("on_newer", json!("supersede"), Source::BuiltIn),
    ] {
        assert_eq!(of(name), (value, from), "{name}");
    }
    assert!(!told.contains_key("name") && !told.contains_key("revision") && !told.contains_key("health_check"));
}

#[test]
fn an_edited_answer_writes_what_was_edited_alone() {
    let defaults = PolicyDefaults::default();
    for body in [full(), with(json!({})), with(json!({"batch_delay": "45s", "health_check": {"type": "image"}}))] {
        let policy = stored(&body);
        let again = stored(&answered(&policy));
        assert!(again.same_content(&policy, &defaults), "{:?} is not {:?}", again.written, policy.written);
    }
    let mut edited = answered(&stored(&with(json!({"soak_seconds": 5}))));
    edited["max_consecutive_failures"] = json!(7);
    edited["health_check"]["interval_seconds"] = json!(1);
    edited["soak_seconds"] = json!(null);
    let written = Value::Object(stored(&edited).written);
    let check = json!({"type": "container_running", "interval_seconds": 1});
    let expected = json!({"max_consecutive_failures": 7, "health_check": check});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(written[name], *value, "{name} of {written}");
    }
    assert_eq!(written.as_object().unwrap().len(), 4, "a name, a pattern and these: {written}");
}

#[test]
fn what_was_stored_filled_in_is_read_as_written() {
    for body in [full(), with(json!({})), with(json!({"batch_delay_minutes": 3}))] {
        let filled = validated(&body).unwrap();
        let written = WrittenPolicy::from(&filled);
        assert_eq!(written.effective(&PolicyDefaults::default()), Effective { policy: filled, mistakes: vec![] });
        let other = PolicyDefaults { batch_delay_seconds: 7, max_consecutive_failures: 9, ..PolicyDefaults::default() };
        assert_eq!(
            written.effective(&other).policy.max_consecutive_failures,
            written.effective(&PolicyDefaults::default()).policy.max_consecutive_failures
        );
    }
}

#[test]
fn names_hold_nothing_that_acts_or_cannot_be_seen() {
    let read = |field: &str, value: serde_json::Value| {
        let mut written = serde_json::json!({"name": "app", "image_pattern": "acme/app:*"});
        written[field] = value;
        let raw = RawPolicy::from_json("", &written).unwrap();
        let id = crate::ids::PolicyId::trusted("p");
        raw.validate(&PolicyDefaults::default(), id, crate::testing::at(0), Origin::Api)
    };
    for text in ["a\u{1b}]0;x", "a\nb", "a\rb", "a\u{202e}b", "a\u{2066}b", "a\u{200b}b", "a\u{9b}b", "a\u{7f}"] {
        for (field, value, pointer) in [
            ("name", serde_json::json!(text), "/name".to_owned()),
            ("fleet_id", serde_json::json!(text), "/fleet_id".to_owned()),
            ("device_tags", serde_json::json!({"region": text}), "/device_tags/region".to_owned()),
            ("device_tags", serde_json::json!({text: "eu"}), format!("/device_tags/{text}")),
        ] {
            let errors = read(field, value).unwrap_err();
            assert!(errors.iter().any(|error| error.pointer == pointer), "{field} {text:?}: {errors:?}");
        }
    }
    assert!(read("name", serde_json::json!("Größe 東京")).is_ok());
}
