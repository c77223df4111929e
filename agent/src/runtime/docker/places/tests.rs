use super::*;

fn listed(name: &str, labels: &[(&str, &str)]) -> Listed {
    let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    Listed { id: format!("id-{name}"), name: name.to_owned(), labels }
}

const OURS: (&str, &str) = (labels::SERVICE, "web");
const MADE: (&str, &str) = (labels::CREATED_FOR, "work");
const OF_PROJECT: (&str, &str) = (labels::COMPOSE_PROJECT, "shop");
const OF_SERVICE: (&str, &str) = (labels::COMPOSE_SERVICE, "web");

#[test]
fn names_and_places() {
    for (place, expected) in [
        (Place::Live, "shop-web-1"),
        (Place::Next, "shop-web-1.tidegate-next"),
        (Place::Fallback, "shop-web-1.tidegate-kept"),
    ] {
        assert_eq!(name("shop-web-1", place), expected);
        assert_eq!(split(expected), ("shop-web-1", place));
    }
}

#[test]
fn who_stands_where() {
    let cases = [
        ("labelled", listed("any", &[OURS]), Some((Place::Live, true))),
        ("labelled, kept", listed("any.tidegate-kept", &[OURS]), Some((Place::Fallback, true))),
        ("of compose up", listed("shop-web-1", &[OF_PROJECT, OF_SERVICE]), Some((Place::Live, true))),
        ("of an older compose", listed("shop_web_1", &[OF_PROJECT, OF_SERVICE]), Some((Place::Live, true))),
        (
            "of compose run",
            listed("shop-web-run-1", &[OF_PROJECT, OF_SERVICE, (labels::COMPOSE_ONE_OFF, "True")]),
            None,
        ),
        ("of another project", listed("x-web-1", &[(labels::COMPOSE_PROJECT, "x"), OF_SERVICE]), None),
        ("of another agent", listed("x-web-1", &[OURS, MADE, (labels::COMPOSE_PROJECT, "x"), OF_SERVICE]), None),
        ("ours", listed("shop-web-1", &[OURS, MADE, OF_PROJECT, OF_SERVICE]), Some((Place::Live, true))),
        ("another service", listed("db", &[(labels::SERVICE, "db")]), None),
        ("a stranger with the name", listed("shop-web-1", &[]), Some((Place::Live, false))),
        ("a stranger with the next name", listed("shop-web-1.tidegate-next", &[]), Some((Place::Next, false))),
        ("another's with the name", listed("shop-web-1", &[(labels::SERVICE, "db")]), Some((Place::Live, false))),
        ("a stranger", listed("other", &[]), None),
    ];
    for (label, one, expected) in cases {
        let found = standing(&[one], "web", "shop-web-1", Some("shop"));
        assert_eq!(found.first().map(|one| (one.place, one.ours)), expected, "{label}");
    }
}

#[test]
fn who_is_adopted() {
    let stored = (labels::CONFIGURATION, "{}");
    let cases = [
        ("by its label", listed("any", &[OURS]), true),
        ("of a compose file that asks for it", listed("shop-web-1", &[OURS, OF_PROJECT, OF_SERVICE]), true),
        ("made for an adopted one", listed("any", &[OURS, MADE, stored]), true),
        ("made for a file's", listed("shop-web-1", &[OURS, MADE, OF_PROJECT, OF_SERVICE]), false),
        ("of compose up alone", listed("shop-web-1", &[OF_PROJECT, OF_SERVICE]), false),
    ];
    for (label, one, expected) in cases {
        assert_eq!(one.is_of("web", None), expected, "{label}");
    }
}

#[test]
fn one_in_each_place() {
    let of = |names: &[&str]| {
        let all: Vec<Listed> = names.iter().map(|name| listed(name, &[OURS])).collect();
        crowded(&standing(&all, "web", "web", None))
    };
    assert_eq!(of(&["web", "web.tidegate-next", "web.tidegate-kept"]), None);
    assert!(of(&["web", "web-2"]).is_some_and(|why| why.contains("web, web-2")));
}

#[test]
fn links_are_no_names() {
    let names = Some(vec!["/proxy/web".to_owned(), "/web".to_owned()]);
    let summary = ContainerSummary { id: Some("1f".to_owned()), names, ..ContainerSummary::default() };
    assert_eq!(Listed::read(summary).map(|one| one.name), Some("web".to_owned()));
}
