//! Ids in paths. What cannot be an id is the id of nothing: 404.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use tidegate_domain::ids::{DeviceUuid, PolicyId, RolloutId};

use crate::problem::Problem;

macro_rules! path_id {
    ($(#[$doc:meta])* $name:ident($id:ty), $what:literal, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub(crate) $id);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let missing = || Problem::missing($what);
                let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing())?;
                let parse: fn(&str) -> Option<$id> = $parse;
                parse(&text).map(Self).ok_or_else(missing)
            }
        }
    };
}

path_id! {
    /// The device that a path names.
    DeviceId(DeviceUuid), "device", DeviceUuid::parse
}

path_id! {
    /// The rollout that a path names.
    RolloutIdPath(RolloutId), "rollout", RolloutId::parse
}

path_id! {
    /// The policy that a path names: its form is that of a rollout's id, or the word of a built-in one.
    PolicyIdPath(PolicyId), "policy", |text| {
        let plausible = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        plausible.then(|| PolicyId::trusted(text))
    }
}
