//! Prints the OpenAPI document, for `docs/openapi.json`.

fn main() {
    print!("{}", tidegate_http::openapi::text(&tidegate_http::openapi()));
}
