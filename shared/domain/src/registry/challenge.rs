//! How a registry says whom it wants to see
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a 401 asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// The login itself.
    Basic,
    /// A token from elsewhere.
    Bearer(Bearer),
}

/// Where tokens are issued, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    realm: String,
    service: Option<String>,
}

/// The address of a token's issuer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRealm {
    /// It is none.
    #[error("its tokens are issued at no valid address")]
    Address,
    /// Whoever listens would see the login.
    #[error("its tokens are issued without TLS")]
    Plain,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` header; `None` where it is neither of the two kinds.
    pub fn parse(header: &str) -> Option<Self> {
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
    /// The address that issues tokens: with TLS, unless the registry itself has none.
    pub fn realm(&self, plain_http: bool) -> Result<&str, BadRealm> {
        let (scheme, _) = self.realm.split_once("://").ok_or(BadRealm::Address)?;
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Ok(&self.realm),
            "http" if plain_http => Ok(&self.realm),
            "http" => Err(BadRealm::Plain),
            _ => Err(BadRealm::Address),
        }
    }

    /// What to ask there for a token that may pull from this repository path. The scope is ours and not the
    /// registry's: no answer can make us ask for more.
    pub fn query(&self, path: &str) -> Vec<(&'static str, String)> {
        let service = self.service.iter().map(|service| ("service", service.clone()));
        service.chain([("scope", format!("repository:{path}:pull"))]).collect()
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

/// The token in an issuer's answer. It is a secret.
pub fn issued_token(body: &[u8]) -> Option<String> {
    let issued: Issued = serde_json::from_slice(body).ok()?;
    issued.token.or(issued.access_token).filter(|token| !token.is_empty())
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
        let cases = [
            ("https://auth.example/token?x=1", false, None),
            ("HTTPS://auth.example/token", false, None),
            ("http://auth.example/token", false, Some(BadRealm::Plain)),
            ("http://auth.example/token", true, None),
            ("file:///etc/passwd", true, Some(BadRealm::Address)),
            ("/token", true, Some(BadRealm::Address)),
        ];
        for (realm, plain_http, refused) in cases {
            assert_eq!(at(realm).realm(plain_http).err(), refused, "{realm}, plain: {plain_http}");
        }
        let asked = [("service", "a b".to_owned()), ("scope", "repository:team/app:pull".to_owned())];
        assert_eq!(at("https://auth.example/token").query("team/app"), asked);
    }

    #[test]
    fn an_issued_token_has_either_name() {
        for body in [r#"{"token":"t"}"#, r#"{"access_token":"t","expires_in":60}"#] {
            assert_eq!(issued_token(body.as_bytes()).as_deref(), Some("t"), "{body}");
        }
        for body in ["{}", r#"{"token":""}"#, "<html>"] {
            assert_eq!(issued_token(body.as_bytes()), None, "{body}");
        }
    }
}
