//! Enrolling devices, some at a time.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{SavedDevice, fresh};
use crate::api::{Api, ApiError, Call, Caller};
use tidegate_agent::image::Image;

/// Tries of one enrolment; a lost answer costs a uuid, since its token went with it.
const TRIES: u32 = 5;

/// What the devices to be enrolled have in common.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// Their fleet.
    pub(crate) fleet: String,
    /// Their one service.
    pub(crate) service: String,
    /// What it runs.
    pub(crate) image: Image,
    /// Their tags.
    pub(crate) tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Enrolled {
    uuid: String,
    token: String,
}

/// Enrols a device for each number, so many at a time; `told` hears of each.
pub(crate) async fn enrol(
    api: &Api,
    kind: &Kind,
    numbers: impl IntoIterator<Item = usize>,
    concurrency: usize,
    told: impl Fn(),
) -> Result<Vec<SavedDevice>> {
    let mut devices: Vec<SavedDevice> = futures::stream::iter(numbers)
        .map(|number| async move {
            let Enrolled { uuid, token } =
                one(api, kind, number).await.with_context(|| format!("device {number} cannot be enrolled"))?;
            let (memory, containers) = fresh(&kind.service, &kind.image);
            Ok::<_, anyhow::Error>(SavedDevice { number, uuid, token, memory, containers })
        })
        .buffer_unordered(concurrency.max(1))
        .inspect_ok(|_| told())
        .try_collect()
        .await?;
    devices.sort_by_key(|device| device.number);
    Ok(devices)
}

async fn one(api: &Api, kind: &Kind, number: usize) -> Result<Enrolled, ApiError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let uuid = Uuid::new_v4();
        let body = json!({
            "uuid": uuid,
            "name": format!("{}-{number:04}", kind.fleet),
            "fleet_id": kind.fleet,
            "platform": "linux/amd64",
            "tags": kind.tags,
            "services": { &kind.service: { "image": kind.image.image } },
        });
        let call = Call::new(Method::POST, "/api/v1/devices", Caller::Provisioning).json(&body);
        match api.once(&call).await {
            Ok(answer) => return answer.read(),
            Err(error) if error.may_pass() && tries < TRIES => {
                // The device may be there, its token lost with the answer: it must not be waited for in a rollout.
                let call = Call::new(Method::DELETE, format!("/api/v1/devices/{uuid}"), Caller::Operator);
                match api.call(&call).await {
                    Ok(_) => {}
                    Err(gone) if gone.status() == Some(404) => {}
                    Err(_) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
}
