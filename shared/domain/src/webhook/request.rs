//! What of an HTTP request the reading of a webhook needs.

use std::fmt;

/// Header fields: names in lower case, values as they came. A name may occur several times.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Every value of a field, in the order of arrival; `name` in lower case.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of a field that is text and not empty; `name` in lower case.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .filter(|(n, _)| n == name)
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
            .map(str::trim)
            .find(|value| !value.is_empty())
    }

    /// Whether a field whose name begins so is there, even with an empty value.
    pub fn any_with_prefix(&self, prefix: &str) -> bool {
        self.0.iter().any(|(name, _)| name.starts_with(prefix))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(n, v)| (n.as_ref().to_ascii_lowercase(), v.as_ref().to_vec())).collect())
    }
}

impl fmt::Debug for Headers {
    /// Names alone: values hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A delivery as it came. Not printable: path, headers and body may hold secrets.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// All header fields.
    pub headers: &'a Headers,
    /// The path segment after the source's name, percent-decoded; `None` where the path ends with the source.
    pub path_token: Option<&'a str>,
    /// The raw bytes of the body; base64 of the HTTP gateway is undone.
    pub body: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_values_stay_out_of_debug() {
        let headers: Headers = [("X-A", "secret"), ("x-a", ""), ("X-B", "2")].into_iter().collect();
        assert_eq!(headers.values("x-a").collect::<Vec<_>>(), [&b"secret"[..], b""]);
        assert_eq!(headers.text("x-b"), Some("2"));
        assert_eq!(headers.text("x-c"), None);
        assert!(headers.any_with_prefix("x-"));
        assert_eq!(format!("{headers:?}"), r#"["x-a", "x-a", "x-b"]"#);
    }
}
