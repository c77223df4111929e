//! What every operation may answer beside what it declares: each status is named, none is left to be found out.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, Header, Ref, RefOr, Schema};

use super::forms::{IntoSchema, text, whole};
use crate::auth::Caller;
use crate::problem::PROBLEM_JSON;

/// A failure that is the same wherever it occurs: its status, its name among the components, what it is.
struct Failure(u16, &'static str, &'static str);

const BAD_REQUEST: Failure =
    Failure(400, "BadRequest", "A query parameter is wrong (`errors` names it), or the body is not JSON.");
const UNAUTHORIZED: Failure = Failure(
    401,
    "Unauthorized",
    "No credential of the right caller; the answer is the same whether it is missing or wrong.",
);
const TOO_LARGE: Failure = Failure(413, "TooLarge", "The body is too large.");
const UNSUPPORTED: Failure = Failure(415, "UnsupportedMediaType", "The body's content type is not JSON.");
const INVALID: Failure = Failure(422, "Invalid", "Fields are wrong: `errors` names each by its JSON pointer.");
const TOO_MANY: Failure = Failure(
    429,
    "TooManyRequests",
    "More requests than the stack takes at once; the gateway answers it, in words of its own. Back off.",
);
const INTERNAL: Failure = Failure(500, "InternalError", "Something went wrong on our side.");
const UNAVAILABLE: Failure =
    Failure(503, "Unavailable", "Something could not be read or stored now. To repeat is safe, after `Retry-After`.");

const FAILURES: [Failure; 8] =
    [BAD_REQUEST, UNAUTHORIZED, TOO_LARGE, UNSUPPORTED, INVALID, TOO_MANY, INTERNAL, UNAVAILABLE];

/// Every operation of a path.
pub(crate) fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch].into_iter().flatten()
}

/// What holds of every operation of a caller's: who that is, and how it fails.
pub(crate) fn describe(operation: &mut Operation, caller: Caller) {
    operation.security = Some(security(operation, caller));
    body_may_be_left_out(operation);
    tidy_parameters(operation);
    for Failure(status, name, _) in expected(operation, caller) {
        let reference = Ref::from_response_name(*name);
        operation.responses.responses.entry(status.to_string()).or_insert_with(|| reference.into());
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            let failed = status.starts_with(['4', '5']);
            complete(response, failed.then_some(status.as_str()));
        }
    }
}

/// The scheme of registries that sign.
pub(crate) const SIGNATURE: &str = "webhookSignature";

fn security(operation: &Operation, caller: Caller) -> Vec<SecurityRequirement> {
    let scheme = |name: &str| SecurityRequirement::new::<_, [&str; 0], &str>(name, []);
    let own = caller.scheme().map(scheme);
    let other = match caller {
        Caller::Anyone | Caller::Device | Caller::Provisioning | Caller::Operator => None,
        // With the proof in the path no header is needed.
        Caller::Registry if has(operation, |parameter| parameter.name == "token") => {
            Some(SecurityRequirement::default())
        }
        Caller::Registry => Some(scheme(SIGNATURE)),
    };
    own.into_iter().chain(other).collect()
}

fn has(operation: &Operation, which: impl Fn(&utoipa::openapi::path::Parameter) -> bool) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
        .any(which)
}

/// The failures that an operation does not have to declare.
fn expected(operation: &Operation, caller: Caller) -> impl Iterator<Item = &'static Failure> + use<> {
    let body = operation.request_body.is_some();
    let query = has(operation, |parameter| parameter.parameter_in == ParameterIn::Query);
    let reads_store = caller != Caller::Anyone;
    let typed = body && caller != Caller::Registry;
    [
        (&BAD_REQUEST, body || query),
        (&UNAUTHORIZED, caller != Caller::Anyone),
        (&TOO_LARGE, body),
        (&UNSUPPORTED, body),
        (&INVALID, typed),
        (&TOO_MANY, true),
        (&INTERNAL, reads_store),
        (&UNAVAILABLE, reads_store),
    ]
    .into_iter()
    .filter_map(|(failure, expected)| expected.then_some(failure))
}

fn tidy_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(schema) = &mut parameter.schema
        {
            super::tidy::parameter(schema);
        }
    }
}

/// A body of no required field: utoipa says that it may be `null`, and what is meant is that it may be missing.
fn body_may_be_left_out(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        if let Some(RefOr::T(Schema::OneOf(one_of))) = &content.schema {
            let named = one_of.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
            if let Some(named) = named {
                content.schema = Some(named);
                body.required = Some(utoipa::openapi::Required::False);
            }
        }
    }
}

/// A response with the headers that all have, and as a problem where it is a failure.
fn complete(response: &mut Response, failed: Option<&str>) {
    if let Some(status) = failed {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        response.content = [(PROBLEM_JSON.to_owned(), RefOr::T(content))].into_iter().collect();
        for (of, name) in [("401", "WWW-Authenticate"), ("503", "Retry-After")] {
            if status == of {
                response.headers.insert(name.to_owned(), header_ref(name));
            }
        }
    }
    response.headers.insert("X-Request-Id".to_owned(), header_ref("X-Request-Id"));
}

fn header_ref(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

/// The failures and headers that operations refer to.
pub(crate) fn add_to(components: &mut Components) {
    for Failure(status, name, text) in &FAILURES {
        let mut response = ResponseBuilder::new().description(*text).build();
        if *status != TOO_MANY.0 {
            complete(&mut response, Some(&status.to_string()));
        }
        components.responses.insert((*name).to_owned(), response.into());
    }
    let header =
        |schema: RefOr<Schema>, text: &str| HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build();
    let headers: BTreeMap<&str, Header> = BTreeMap::from([
        (
            "X-Request-Id",
            header(
                text().into_schema(),
                "Names the request, in the answer and in the logs; a caller may send its own.",
            ),
        ),
        ("Retry-After", header(whole(0, u32::MAX).into_schema(), "Seconds after which to try again.")),
        ("WWW-Authenticate", header(text().into_schema(), "`Bearer`.")),
    ]);
    components.headers.extend(headers.into_iter().map(|(name, header)| (name.to_owned(), header.into())));
}
