//! The OpenAPI document: made from the routes themselves.

use utoipa::ToSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Info, OpenApi, OpenApiBuilder};

use crate::auth::Caller;
use crate::problem::{Problem, WrongField};
use crate::routes::{self, Api, Describing};

/// The document of every function's routes.
pub fn openapi() -> OpenApi {
    let apis: [Api<Describing>; 5] =
        [routes::webhooks(), routes::policies(), routes::rollouts(), routes::devices(), routes::public()];
    let mut document = OpenApiBuilder::new().info(info()).components(Some(components())).build();
    for api in apis {
        document.merge(api.0.0.into_openapi());
    }
    document
}

/// The document as it is served and committed.
pub fn text(document: &OpenApi) -> String {
    // A document of plain data is always JSON.
    document.to_pretty_json().unwrap_or_default() + "\n"
}

fn info() -> Info {
    let mut info = Info::new("Tidegate", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Updates the Docker images of a whole device fleet when a new image is pushed. Every answer carries \
         `X-Request-Id`; every error is problem details (RFC 9457)."
            .to_owned(),
    );
    info
}

fn components() -> Components {
    let mut components = Components::new();
    let registry = "The webhook secret: as bearer token or as the whole value of `Authorization`; as the last segment of the \
                    path, for registries that cannot sign; or as the key of an HMAC-SHA256 over the raw body, in the \
                    registry's own header (GitHub's `X-Hub-Signature-256`). Every proof that is given must be right.";
    for (caller, description) in [
        (Caller::Registry, registry),
        (Caller::Operator, "An operator's token."),
        (Caller::Provisioning, "A provisioning key; it may be bound to fleets."),
        (Caller::Device, "A device's token: for the device of the path alone. For another device it is a 403."),
    ] {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
        components.add_security_scheme(caller.name(), SecurityScheme::Http(scheme));
    }
    let mut schemas = Vec::new();
    Problem::schemas(&mut schemas);
    schemas.push((Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema()));
    schemas.push((WrongField::name().into_owned(), <WrongField as utoipa::PartialSchema>::schema()));
    components.schemas.extend(schemas);
    components
}
