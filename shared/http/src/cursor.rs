//! Where a list's next page begins: opaque to callers, signed, and bound to the list and its filters.

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::SigningKey;
use crate::problem::Problem;

const PURPOSE: &str = "cursor";
const SIGNATURE: usize = 16;

/// The list that a cursor is of: its route with its own path, and the filters, as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope(String);

impl Scope {
    /// The list at this path under these filters, which must print alike when they mean the same.
    pub(crate) fn new(path: &str, filters: &impl std::fmt::Debug) -> Self {
        Self(format!("{path}\n{filters:?}"))
    }

    /// The list that a request asks for.
    pub(crate) fn of(uri: &Uri, filters: &impl std::fmt::Debug) -> Self {
        Self::new(uri.path(), filters)
    }
}

/// Seals a position.
pub(crate) fn seal(key: &SigningKey, scope: &Scope, position: &impl Serialize) -> String {
    // Positions are structs of plain data.
    let position = serde_json::to_vec(position).unwrap_or_default();
    let mut bytes = key.sign(PURPOSE, &[scope.0.as_bytes(), &position]).to_vec();
    bytes.extend_from_slice(&position);
    BASE64.encode(bytes)
}

/// Opens a cursor of the same list.
pub(crate) fn open<P: DeserializeOwned>(key: &SigningKey, scope: &Scope, cursor: &str) -> Result<P, Problem> {
    let wrong = || Problem::parameter("cursor", "it is none of this list under these filters");
    let bytes = BASE64.decode(cursor).map_err(|_| wrong())?;
    let (signature, position) = bytes.split_at_checked(SIGNATURE).ok_or_else(wrong)?;
    if !key.signed(PURPOSE, &[scope.0.as_bytes(), position], signature) {
        return Err(wrong());
    }
    serde_json::from_slice(position).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_where_it_was_sealed_and_nowhere_else() {
        let key = SigningKey::new(&"k".repeat(32)).unwrap();
        let scope = Scope::new("/api/v1/devices", &Some("fleet"));
        let cursor = seal(&key, &scope, &(3, "x"));
        assert_eq!(open::<(u32, String)>(&key, &scope, &cursor).unwrap(), (3, "x".to_owned()));
        let elsewhere = [Scope::new("/api/v1/rollouts", &Some("fleet")), Scope::new("/api/v1/devices", &Some("other"))];
        for scope in elsewhere {
            assert!(open::<(u32, String)>(&key, &scope, &cursor).is_err());
        }
        for i in 0..cursor.len() {
            let mut tampered = cursor.clone().into_bytes();
            tampered[i] = if tampered[i] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(tampered).unwrap();
            assert!(open::<(u32, String)>(&key, &scope, &tampered).is_err(), "letter {i}");
        }
        assert!(open::<(u32, String)>(&key, &scope, "").is_err());
    }
}
