//! The committed document is the one that the routes make.

#[test]
fn the_committed_document_is_up_to_date() {
    let made = tidegate_http::openapi::text(&tidegate_http::openapi());
    assert!(
        made == include_str!("../../../../docs/openapi.json"),
        "docs/openapi.json differs; write it anew: cargo run -p tidegate-http --example openapi > docs/openapi.json"
    );
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = tidegate_http::openapi::text(&tidegate_http::openapi());
    let schemas = &serde_json::from_str::<serde_json::Value>(&document).unwrap()["components"]["schemas"];
    let mut found = 0;
    for reference in document.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas[name].is_object(), "{name}");
        found += 1;
    }
    assert!(found > 50);
}
