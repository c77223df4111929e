//! Names of fleets.

/// Longest, in characters.
pub const MAX: usize = 64;

/// Why a fleet's id is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a fleet's id: 1 to {MAX} letters, digits and `.`, `_` or `-`, such as production or hall-3; policies select \
     fleets by these very characters"
)]
pub struct FleetError;

/// Checks a fleet's id. It stands in filters, paths and policies, and a device whose fleet only looks like the one that a
/// policy names would silently follow no policy.
pub fn check(id: &str) -> Result<(), FleetError> {
    let fits = (1..=MAX).contains(&id.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if fits && begins && id.bytes().all(plain) { Ok(()) } else { Err(FleetError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_mistaken() {
        for id in ["production", "Hall-3", "eu_west.1", "7", &"a".repeat(MAX)] {
            assert_eq!(check(id), Ok(()), "{id}");
        }
        let odd =
            ["", " ", "hall 3", " production", "prod;rm", "../x", "a/b", "-x", ".x", "pröd", "\u{202e}dorp", "a\nb"];
        for id in odd.into_iter().chain([&*"a".repeat(MAX + 1)]) {
            assert_eq!(check(id), Err(FleetError), "{id:?}");
        }
    }
}
