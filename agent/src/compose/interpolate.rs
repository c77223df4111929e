//! Variables in a Compose file: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+instead}`, the same
//! without the colon (an empty value then counts as one), and `$$` for a dollar sign.
//!
//! One difference to `docker compose`: a variable that is not set and has no default is refused, not made empty.

use serde_json::Value;

use super::Variables;
use super::mistakes::Mistakes;

/// Puts the variables' values into every text of a value; names of fields stay as they are.
pub(super) fn interpolate(path: &str, value: &mut Value, variables: &Variables, mistakes: &Mistakes) {
    match value {
        Value::String(text) => match text_with(text, variables) {
            Ok(new) => *text = new,
            Err(why) => mistakes.note(path, why),
        },
        Value::Array(items) => {
            for (n, item) in items.iter_mut().enumerate() {
                interpolate(&format!("{path}[{n}]"), item, variables, mistakes);
            }
        }
        Value::Object(map) => {
            for (name, inner) in map.iter_mut().filter(|(name, _)| !name.starts_with("x-")) {
                let inner_path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                interpolate(&inner_path, inner, variables, mistakes);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with the values of its variables. Errors do not quote it: it may have a password in it.
pub(super) fn text_with(text: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing(after).ok_or("expected } after ${")?;
            out.push_str(&braced(&after[..end], variables)?);
            rest = &after[end + 1..];
        } else {
            let (name, after) = split_name(rest);
            if name.is_empty() {
                return Err("expected a name after $; write $$ for a dollar sign".to_owned());
            }
            out.push_str(variables.get(name).ok_or_else(|| not_set(name))?);
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace is closed that was opened just before; defaults may have variables of their own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if before == '$' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = c;
    }
    None
}

fn braced(inside: &str, variables: &Variables) -> Result<String, String> {
    let (name, form) = split_name(inside);
    if name.is_empty() {
        return Err("expected a variable's name after ${".to_owned());
    }
    let set = variables.get(name);
    let (form, value) = match form.strip_prefix(':') {
        // With the colon an empty value counts as none.
        Some(form) => (form, set.filter(|value| !value.is_empty())),
        None => (form, set),
    };
    let mut letters = form.chars();
    match (letters.next(), value) {
        (None, Some(value)) if form.len() == inside.len() - name.len() => Ok(value.clone()),
        (None, None) if form.len() == inside.len() - name.len() => Err(not_set(name)),
        (Some('-' | '?'), Some(value)) => Ok(value.clone()),
        (Some('-'), None) | (Some('+'), Some(_)) => text_with(letters.as_str(), variables),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => {
            let message = text_with(letters.as_str(), variables)?;
            Err(if message.is_empty() { not_set(name) } else { format!("{name} is not set: {message}") })
        }
        _ => Err(format!("expected ${{{name}}}, ${{{name}:-default}}, ${{{name}:?message}} or ${{{name}:+instead}}")),
    }
}

fn not_set(name: &str) -> String {
    format!("{name} is not set; set it in .env beside the file, or write ${{{name}:-}} where it may be empty")
}

/// A name at the beginning, and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { ("", text) } else { text.split_at(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let variables: Variables = [("TAG", "1.2"), ("EMPTY", ""), ("A_1", "a")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let cases = [
            ("no variable", Some("no variable")),
            ("app:$TAG", Some("app:1.2")),
            ("app:${TAG}-slim", Some("app:1.2-slim")),
            ("$A_1/$$HOME/$${TAG}", Some("a/$HOME/${TAG}")),
            ("${EMPTY}", Some("")),
            ("${EMPTY-d}", Some("")),
            ("${EMPTY:-d}", Some("d")),
            ("${NONE:-d}", Some("d")),
            ("${NONE-d}", Some("d")),
            ("${NONE:-}", Some("")),
            ("${NONE:-${TAG}}!", Some("1.2!")),
            ("${NONE:-a${NONE:-b}c}", Some("abc")),
            ("${TAG:+t}${EMPTY:+e}${EMPTY+e}${NONE+n}", Some("te")),
            ("${TAG:?must be}", Some("1.2")),
            ("${NONE:?must be}", None),
            ("${EMPTY:?}", None),
            ("${NONE}", None),
            ("$NONE", None),
            ("${TAG", None),
            ("${TAG:}", None),
            ("${TAG!x}", None),
            ("${}", None),
            ("5$ a day", None),
            ("$1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text_with(text, &variables).ok().as_deref(), expected, "{text}");
        }
        assert_eq!(text_with("${NONE:?must be}", &variables), Err("NONE is not set: must be".to_owned()));
    }
}
