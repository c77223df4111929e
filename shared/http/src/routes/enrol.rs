//! A device enrols.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use tidegate_domain::device_tag;
use tidegate_domain::fields::FieldError;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::ImageRef;
use tidegate_domain::window::ZoneName;
use tidegate_domain::{fleet, platform};
use tidegate_engine::enrol::{EnrolError, Newcomer, enrol};
use utoipa::ToSchema;

use super::{Api, Use};
use crate::auth::DeviceToken;
use crate::guard::ProvisioningCaller;
use crate::input::{DeviceBody, Mistakes};
use crate::problem::Problem;
use crate::schemas::forms::{FleetId, LINE_MAX, Line, TAGS_MAX, Tags};
use crate::state::AppState;
use crate::views::Credential;

/// Most services of a device; its item is to stay small.
const SERVICES_MAX: usize = 16;

/// A device that wants to be known. Unknown fields are passed over.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "fleet_id": "production", "name": "gate 12", "timezone": "Europe/Berlin", "platform": "linux/arm64/v8",
    "tags": {"region": "eu"}, "services": {"web": {"image": "docker.io/iotistic/app:v1.0.0"}},
}))]
struct EnrolBody {
    /// Its uuid, version 4 or 7; without it the server makes one.
    #[schema(format = Uuid)]
    uuid: Option<String>,
    /// The token that it has, where it is enrolled already.
    current_token: Option<String>,
    /// What people call it.
    #[schema(value_type = Option<Line>)]
    name: Option<String>,
    /// Its fleet.
    #[schema(value_type = FleetId)]
    fleet_id: String,
    /// IANA name of its zone.
    #[schema(example = "Europe/Berlin", min_length = 1, max_length = 64)]
    timezone: Option<String>,
    /// Its platform.
    #[schema(example = "linux/arm64/v8", min_length = 1, max_length = 64)]
    platform: Option<String>,
    /// Its tags.
    #[serde(default)]
    #[schema(value_type = Tags)]
    tags: BTreeMap<String, String>,
    /// Its services, by name.
    #[serde(default)]
    services: BTreeMap<String, EnrolService>,
}

/// A service of a device that enrols.
#[derive(Debug, Deserialize, ToSchema)]
struct EnrolService {
    /// What it runs.
    #[schema(example = "docker.io/iotistic/myapp:v1.0.0")]
    image: String,
}

/// Enrols a device
///
/// A uuid that is known already is a 409, unless the body carries its `current_token` or an operator allowed it; then
/// the device keeps its name, fleet, tags and assignments and gets a new token, whose first use ends the old one.
#[utoipa::path(
    post,
    operation_id = "enrolDevice",
    path = "/api/v1/devices",
    tag = "devices",
    request_body = EnrolBody,
    responses(
        (status = 201, description = "Enrolled. The token is shown this once.", body = Credential),
        (status = 403, description = "The provisioning key is bound to other fleets."),
        (status = 409, description = "The uuid is known already."),
        (status = 422, description = "Fields are wrong, or a registry is not allowed."),
    )
)]
async fn enrol_device(
    State(state): State<AppState>,
    caller: ProvisioningCaller,
    DeviceBody(body, mistakes): DeviceBody<EnrolBody>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<Credential>), Problem> {
    let (device_uuid, services, timezone) = checked(&state, &body, mistakes)?;
    let now = state.now();
    let token = DeviceToken::new(&state.access.signing, device_uuid, state.ports.entropy.bytes32());
    let newcomer = Newcomer {
        device_uuid,
        name: body.name,
        fleet_id: body.fleet_id,
        tags: body.tags,
        timezone,
        platform: body.platform,
        services,
        token_hash: token.hash(),
        current_token_hash: body.current_token.as_deref().map(DeviceToken::hash_of),
        fleets: caller.fleets,
    };
    let device = enrol(&state.ports, &newcomer, now).await?;
    tracing::info!(device_uuid = %device.device_uuid, fleet_id = device.fleet_id, "device enrolled");
    // What is a secret is in nobody's cache.
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(Credential::new(device_uuid, &token))))
}

type Services = BTreeMap<String, ImageRef>;

fn checked(
    state: &AppState,
    body: &EnrolBody,
    mistakes: Mistakes,
) -> Result<(DeviceUuid, Services, Option<String>), Problem> {
    let mut checks = Checks(mistakes);
    let uuid = match &body.uuid {
        Some(text) => DeviceUuid::parse(text),
        None => {
            Some(DeviceUuid(uuid::Builder::from_random_bytes(state.ports.entropy.u128().to_be_bytes()).into_uuid()))
        }
    };
    if uuid.is_none() {
        checks.wrong("/uuid", "expected a uuid of version 4 or 7");
    }
    checks.name(body.name.as_deref());
    checks.fleet(&body.fleet_id);
    checks.tags(&body.tags);
    let timezone = checks.timezone(body.timezone.as_deref());
    if let Some(Err(error)) = body.platform.as_deref().map(platform::check) {
        checks.wrong("/platform", error);
    }
    if body.services.len() > SERVICES_MAX {
        checks.wrong("/services", format!("expected at most {SERVICES_MAX} services"));
    }
    let mut services = Services::new();
    for (name, service) in &body.services {
        let pointer = FieldError::pointer_to("/services", name);
        checks.text(&pointer, name);
        match ImageRef::parse(&service.image) {
            Ok(image) => {
                if let Err(refusal) = state.settings.allowed_registries.allows(&image.repository) {
                    checks.wrong(format!("{pointer}/image"), refusal);
                }
                services.insert(name.clone(), image);
            }
            Err(error) => checks.wrong(format!("{pointer}/image"), error),
        }
    }
    checks.finish()?;
    uuid.map(|uuid| (uuid, services, timezone)).ok_or_else(|| Problem::bad_request("the uuid cannot be read"))
}

/// What is wrong with a device's fields, so far.
#[derive(Debug)]
pub(super) struct Checks(pub(super) Mistakes);

impl Checks {
    /// A field is wrong.
    pub(super) fn wrong(&mut self, pointer: impl Into<String>, detail: impl std::fmt::Display) {
        self.0.tell(FieldError::new(pointer, detail));
    }

    /// A text that is not empty, not long, and has nothing in it that would not show.
    pub(super) fn text(&mut self, pointer: &str, text: &str) {
        if text.trim().is_empty() || text.chars().count() > LINE_MAX {
            self.wrong(pointer, format!("expected 1 to {LINE_MAX} characters on one line"));
        } else if let Err(unseen) = tidegate_domain::text::name(text) {
            self.wrong(pointer, unseen);
        }
    }

    fn short(&mut self, pointer: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(pointer, text);
        }
    }

    /// A device's name.
    pub(super) fn name(&mut self, name: Option<&str>) {
        self.short("/name", name);
    }

    /// A fleet's id.
    pub(super) fn fleet(&mut self, fleet_id: &str) {
        if let Err(error) = fleet::check(fleet_id) {
            self.wrong("/fleet_id", error);
        }
    }

    /// A time zone, in the database's spelling. What is not understood is refused: its windows would be somebody else's.
    pub(super) fn timezone(&mut self, text: Option<&str>) -> Option<String> {
        match ZoneName::parse(text?) {
            Ok(zone) => Some(zone.as_str().to_owned()),
            Err(error) => {
                self.wrong("/timezone", error);
                None
            }
        }
    }

    /// A device's tags.
    pub(super) fn tags(&mut self, tags: &BTreeMap<String, String>) {
        if tags.len() > TAGS_MAX {
            self.wrong("/tags", format!("expected at most {TAGS_MAX} tags"));
        }
        for (key, value) in tags {
            let pointer = FieldError::pointer_to("/tags", key);
            self.text(&pointer, key);
            self.text(&pointer, value);
            if key.contains(device_tag::divides) {
                self.wrong(pointer, "expected a key without a colon or an equals sign: filters write key=value");
            }
        }
    }

    /// Every mistake, or none.
    pub(super) fn finish(self) -> Result<(), Problem> {
        self.0.finish()
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        match error {
            EnrolError::AlreadyEnrolled => {
                let detail =
                    "already_enrolled: this uuid is known; show its current_token, or have an operator allow it";
                Self::conflict("already_enrolled", detail)
            }
            EnrolError::WrongFleet(_) => Self::forbidden(error.to_string()),
            EnrolError::Engine(error) => error.into(),
        }
    }
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().provisioning(routes!(enrol_device))
}
