//! How a registry says whom it wants to see
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use std::collections::BTreeMap;

use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::credentials::sensitive;

/// What a 401 asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// The login itself.
    Basic,
    /// A token from elsewhere.
    Bearer(Bearer),
}

/// Where tokens are issued, and for what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    realm: String,
    service: Option<String>,
}

/// The address of a token's issuer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRealm {
    #[error("its tokens are issued at no valid address")]
    Address,
    #[error("its tokens are issued without TLS")]
    Plain,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` header; `None` where it is neither of the two kinds.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        Some(Self::Bearer(Bearer { realm: parameters.remove("realm")?, service: parameters.remove("service") }))
    }
}

impl Bearer {
    /// Where to ask for a token that may pull from this repository path. The scope is ours and not the registry's: no
    /// answer can make us ask for more.
    pub(super) fn token_url(&self, path: &str, plain_http: bool) -> Result<Url, BadRealm> {
        let mut url = Url::parse(&self.realm).map_err(|_| BadRealm::Address)?;
        match url.scheme() {
            "https" => {}
            "http" if plain_http => {}
            "http" => return Err(BadRealm::Plain),
            _ => return Err(BadRealm::Address),
        }
        if let Some(service) = &self.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &format!("repository:{path}:pull"));
        Ok(url)
    }
}

/// `name="value"` pairs, values quoted or not, divided by commas.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches(|c: char| c == ',' || c.is_whitespace()).to_ascii_lowercase();
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.insert(name, value.trim().to_owned());
        rest = after;
    }
    found
}

#[derive(Deserialize)]
struct Issued {
    token: Option<String>,
    access_token: Option<String>,
}

/// The header that shows an issued token.
pub(super) fn token(body: &[u8]) -> Option<HeaderValue> {
    let issued: Issued = serde_json::from_slice(body).ok()?;
    let token = issued.token.or(issued.access_token).filter(|token| !token.is_empty())?;
    sensitive(&format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer(Bearer { realm: realm.into(), service: service.map(Into::into) }))
        };
        let cases = [
            (r#"Basic realm="x""#, Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
                bearer("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            (
                r#"bearer realm="https://ghcr.io/token", scope="a,b", service=ghcr.io"#,
                bearer("https://ghcr.io/token", Some("ghcr.io")),
            ),
            (r#"Bearer service="x""#, None),
            ("Negotiate", None),
        ];
        for (header, expected) in cases {
            assert_eq!(Challenge::parse(header), expected, "{header}");
        }
    }

    #[test]
    fn tokens_are_asked_for_over_tls_only() {
        let at = |realm: &str| Bearer { realm: realm.into(), service: Some("a b".into()) };
        let url = at("https://auth.example/token?x=1").token_url("team/app", false).unwrap();
        assert_eq!(url.as_str(), "https://auth.example/token?x=1&service=a+b&scope=repository%3Ateam%2Fapp%3Apull");
        assert!(at("http://auth.example/token").token_url("a", false).is_err());
        assert!(at("http://auth.example/token").token_url("a", true).is_ok());
        assert!(at("file:///etc/passwd").token_url("a", true).is_err());
    }

    #[test]
    fn an_issued_token_has_either_name() {
        for body in [r#"{"token":"t"}"#, r#"{"access_token":"t","expires_in":60}"#] {
            assert_eq!(token(body.as_bytes()).unwrap().to_str().unwrap(), "Bearer t");
        }
        assert_eq!(token(b"{}"), None);
    }
}
