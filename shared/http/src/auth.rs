//! Who calls, and how that is known. Credentials are compared in constant time and never shown.

mod device_token;
mod signing;
mod token;

use axum::http::{HeaderMap, header};
use tidegate_domain::webhook::Secrets;

pub use device_token::{DeviceToken, NotThisDevice};
pub use signing::{KeyTooShort, SigningKey};
pub use token::{ProvisioningKey, TokenHash, TokenList};

/// The kinds of callers, as the contract names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A registry's webhook.
    Registry,
    /// A device, about itself.
    Device,
    /// Whoever enrols devices.
    Provisioning,
    /// A person or a script that runs the stack.
    Operator,
    /// Everybody.
    Anyone,
}

impl Caller {
    /// Its name, in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Device => "device",
            Self::Provisioning => "provisioning",
            Self::Operator => "operator",
            Self::Anyone => "anyone",
        }
    }

    /// The name of what it shows, among the OpenAPI document's security schemes. Not its own name, under which clients
    /// have a type for the thing itself.
    pub const fn scheme(self) -> Option<&'static str> {
        match self {
            Self::Registry => Some("webhookSecret"),
            Self::Device => Some("deviceToken"),
            Self::Provisioning => Some("provisioningKey"),
            Self::Operator => Some("operatorToken"),
            Self::Anyone => None,
        }
    }
}

/// What callers are recognised by.
#[derive(Debug, Clone)]
pub struct Access {
    /// Operators' tokens; an empty list lets no operator in.
    pub operators: TokenList<()>,
    /// Provisioning keys, each with the fleets that it may enrol into (`None` is every fleet).
    pub provisioning: TokenList<ProvisioningKey>,
    /// The secrets of the built-in webhook source; without them no registry is let in.
    pub webhooks: Option<Secrets>,
    /// Signs device tokens and cursors.
    pub signing: SigningKey,
}

impl Access {
    /// Nobody is let in, and what is signed is signed with a key of the moment.
    pub fn nobody(random: [u8; 32]) -> Self {
        Self {
            operators: TokenList::default(),
            provisioning: TokenList::default(),
            webhooks: None,
            signing: SigningKey::of(&random),
        }
    }
}

/// The token of the one `Authorization: Bearer` header. Several headers are no credential: which one counts would be
/// anybody's guess.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_or_none() {
        let headers = |values: &[&str]| -> HeaderMap {
            values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect()
        };
        let cases: [(&[&str], Option<&str>); 7] = [
            (&["Bearer abc"], Some("abc")),
            (&["bearer  abc "], Some("abc")),
            (&[], None),
            (&["abc"], None),
            (&["Bearer "], None),
            (&["Basic abc"], None),
            (&["Bearer abc", "Bearer abc"], None),
        ];
        for (given, expected) in cases {
            assert_eq!(bearer(&headers(given)), expected, "{given:?}");
        }
    }
}
