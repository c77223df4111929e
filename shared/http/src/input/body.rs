//! JSON bodies.

use std::collections::BTreeMap;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use tidegate_domain::policy::FieldError;

use crate::problem::Problem;

/// Largest body of an operator, a device or a provisioning key, in bytes.
const BODY_BYTES: usize = 256 * 1024;

/// Largest set of policies, in bytes.
const SET_BYTES: usize = 2 * 1024 * 1024;

/// Whole numbers below this are exact as floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// An operator's body. Its type denies unknown fields.
#[derive(Debug)]
pub(crate) struct OperatorBody<T>(pub(crate) T);

/// An operator's body that may be left out where no field is required.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

/// A device's body. Its type ignores unknown fields: an older server must understand a newer agent.
#[derive(Debug)]
pub(crate) struct DeviceBody<T>(pub(crate) T);

/// An operator's body that holds a whole set of things.
#[derive(Debug)]
pub(crate) struct SetBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for SetBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, body) = read_up_to(SET_BYTES, request).await?;
        is_json(&headers)?;
        typed(parse(&body)?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OperatorBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, body) = read(request).await?;
        is_json(&headers)?;
        typed(parse(&body)?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, body) = read(request).await?;
        if body.is_empty() {
            return typed(Value::Object(serde_json::Map::new())).map(Self);
        }
        is_json(&headers)?;
        typed(parse(&body)?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for DeviceBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        OperatorBody::from_request(request, state).await.map(|OperatorBody(body)| Self(body))
    }
}

async fn read(request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    read_up_to(BODY_BYTES, request).await
}

async fn read_up_to(most: usize, request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    // A body that breaks off has nobody left to answer, so what fails here is too long.
    let body = to_bytes(body, most).await.map_err(|_| Problem::too_large(most))?;
    Ok((parts.headers, body))
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json") {
        return Ok(());
    }
    let detail = "expected a body of the content type application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

fn parse(body: &[u8]) -> Result<Value, Problem> {
    let mut value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::bad_request(format!("the body is not JSON (line {line}, column {column})"))
    })?;
    whole_numbers(&mut value);
    Ok(value)
}

/// Writes `3.0` as `3`: JSON knows one kind of number, and for JSON Schema both are the same whole one.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT);
            if let Some(whole) = whole {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    let mistake = match fields(value.clone()) {
        Ok(read) => return Ok(read),
        Err(mistake) => mistake,
    };
    Err(Problem::invalid(all_mistakes::<T>(value, mistake)))
}

/// Every mistake that reading the value meets: what is wrong is taken out, and the rest is read again.
fn all_mistakes<T: DeserializeOwned>(mut value: Value, first: FieldError) -> Vec<FieldError> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let (mut mistakes, mut found): (Vec<FieldError>, _) = (Vec::new(), Some(first));
    while let Some(mistake) = found.take() {
        let mut wrong = mistake.pointer.clone();
        let told = FieldError { pointer: in_the_body(&mistake.pointer, &taken), ..mistake };
        if mistakes.iter().any(|other| other.pointer == told.pointer) {
            // What was taken out is missing now: the whole that it is missing of is taken out, too.
            wrong = wrong.rsplit_once('/').map(|(whole, _)| whole.to_owned()).unwrap_or_default();
        } else {
            mistakes.push(told);
        }
        if take_out(&mut value, &wrong, &mut taken) {
            found = fields::<T>(value.clone()).err();
        }
    }
    mistakes
}

/// Takes what stands at the pointer out of the value; says whether anything did. Of a list, those before it too: they are
/// in order.
fn take_out(value: &mut Value, pointer: &str, taken: &mut BTreeMap<String, usize>) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    let name = name.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&name).is_some(),
        Some(Value::Array(entries)) => match name.parse::<usize>() {
            Ok(n) if n < entries.len() => {
                entries.drain(..=n);
                *taken.entry(parent.to_owned()).or_default() += n + 1;
                true
            }
            Ok(_) | Err(_) => false,
        },
        _ => false,
    }
}

/// The pointer as it is in the whole body, from which entries of lists were `taken`.
fn in_the_body(pointer: &str, taken: &BTreeMap<String, usize>) -> String {
    let (mut seen, mut told) = (String::new(), String::new());
    for step in pointer.split('/').skip(1) {
        let number = taken.get(&seen).and_then(|taken| Some(step.parse::<usize>().ok()? + taken));
        told = format!("{told}/{}", number.map_or_else(|| step.to_owned(), |number| number.to_string()));
        seen = format!("{seen}/{step}");
    }
    told
}

/// Reads a value as a type; the error names the field.
pub(crate) fn fields<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let detail = error.inner().to_string();
        let mut pointer = String::new();
        for segment in error.path() {
            let name = match segment {
                Segment::Seq { index } => index.to_string(),
                Segment::Map { key } => key.clone(),
                Segment::Enum { variant } => variant.clone(),
                Segment::Unknown => continue,
            };
            pointer = FieldError::pointer_to(&pointer, &name);
        }
        // Serde tells of the object that a field is missing of, and of the object that has one too many.
        for told in ["missing field `", "unknown field `"] {
            let name = detail.strip_prefix(told).and_then(|rest| rest.split('`').next());
            if let Some(name) = name.filter(|name| !pointer.ends_with(&FieldError::pointer_to("", name))) {
                pointer = FieldError::pointer_to(&pointer, name);
            }
        }
        FieldError::new(pointer, detail)
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Sample {
        name: String,
        inner: Option<Inner>,
        map: Option<BTreeMap<String, u32>>,
        list: Option<Vec<u32>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Inner {
        n: u32,
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |body: &str| parse(body.as_bytes()).unwrap();
        assert_eq!(read(r#"{"a": [3.0, 1e2, -4.0], "b": 2.5}"#), json!({"a": [3, 100, -4], "b": 2.5}));
        assert_eq!(read("1e300"), json!(1e300));
        assert!(fields::<Sample>(read(r#"{"name": "a", "list": [1.0]}"#)).is_ok());
        assert!(fields::<Sample>(read(r#"{"name": "a", "list": [1.5]}"#)).is_err());
    }

    #[test]
    fn errors_name_the_field() {
        let cases = [
            (json!({}), "/name"),
            (json!({"name": 1}), "/name"),
            (json!({"name": "a", "nane": 1}), "/nane"),
            (json!({"name": "a", "inner": {}}), "/inner/n"),
            (json!({"name": "a", "inner": {"n": 1, "m": 2}}), "/inner/m"),
            (json!({"name": "a", "inner": {"n": "x"}}), "/inner/n"),
            (json!({"name": "a", "map": {"a/b": "x"}}), "/map/a~1b"),
            (json!({"name": "a", "list": [1, -1]}), "/list/1"),
            (json!([]), ""),
        ];
        for (body, pointer) in cases {
            let error = fields::<Sample>(body.clone()).unwrap_err();
            assert_eq!(error.pointer, pointer, "{body}: {error}");
        }
    }

    #[test]
    fn one_mistake_hides_no_other() {
        let body = json!({
            "nane": 1, "name": 2, "inner": {"n": "x", "m": 2}, "map": {"a": 1, "b": "x", "c": "y"},
            "list": [1, -1, 2, "x"],
        });
        let problem = typed::<Sample>(body).unwrap_err();
        let body = serde_json::to_value(&problem).unwrap();
        let mut pointers: Vec<&str> =
            body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/inner/m", "/inner/n", "/list/1", "/list/3", "/map/b", "/map/c", "/name", "/nane"]);
        assert_eq!(typed::<Sample>(json!({"name": "a", "list": [1]})).unwrap().name, "a");
    }
}
