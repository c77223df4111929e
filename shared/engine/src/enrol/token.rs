//! Which of its tokens a device shows, and the end of the old one.

use subtle::ConstantTimeEq;
use tidegate_domain::device::Device;

use crate::create::TRIES;
use crate::entities::devices;
use crate::error::EngineError;
use crate::ports::{Freshness, Ports, WriteError};

/// A token that a device may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Its token.
    Current,
    /// The token of its re-enrolment, which it has not used before.
    Next,
}

/// Which of the device's tokens has this hash. Takes the same time whichever it is.
pub fn held(device: &Device, hash: &str) -> Option<Held> {
    let same = |stored: &str| bool::from(stored.as_bytes().ct_eq(hash.as_bytes()));
    let current = same(&device.token_hash);
    let next = device.next_token_hash.as_deref().is_some_and(same);
    match (current, next) {
        (_, true) => Some(Held::Next),
        (true, false) => Some(Held::Current),
        (false, false) => None,
    }
}

/// The first use of a re-enrolment's token ends the old one. The device as it is stored afterwards; `None` where this
/// token is no longer one of its.
pub async fn take_next_token(ports: &Ports, device: &Device, hash: &str) -> Result<Option<Device>, EngineError> {
    for _ in 0..TRIES {
        let stored = devices::get(&*ports.store, device.device_uuid, Freshness::Consistent).await?;
        let Some(stored) = stored else { return Ok(None) };
        match held(&stored, hash) {
            None => return Ok(None),
            Some(Held::Current) => return Ok(Some(stored)),
            Some(Held::Next) => {}
        }
        let mut next = stored.next_revision();
        if let Some(token) = next.next_token_hash.take() {
            next.token_hash = token;
        }
        match ports.store.write(&[devices::save(&next)]).await {
            Ok(()) => return Ok(Some(next)),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the device" })
}
