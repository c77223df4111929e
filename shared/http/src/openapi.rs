//! The OpenAPI document: made from the routes themselves.

use utoipa::ToSchema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::{ServerBuilder, ServerVariableBuilder};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, Info, License, OpenApi, OpenApiBuilder, Server};

use crate::auth::Caller;
use crate::problem::{Problem, WrongField};
use crate::routes::{self, Api, Describing};
use crate::schemas::{answers, forms, tidy, words};

/// The document of every function's routes.
pub fn openapi() -> OpenApi {
    let apis: [Api<Describing>; 5] =
        [routes::webhooks(), routes::policies(), routes::rollouts(), routes::devices(), routes::public()];
    let document = OpenApiBuilder::new().info(info()).servers(Some([server()])).tags(Some(tags()));
    let mut document = document.components(Some(components())).build();
    for api in apis {
        document.merge(api.0.0.into_openapi());
    }
    tidy::tidy(&mut document);
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
        "Updates the Docker images of a whole device fleet when a new image is pushed.\n\n\
         Every answer carries `X-Request-Id`. Every error is problem details (RFC 9457): `type` ends in a stable word. \
         A path takes other methods than these with a 405, whose `Allow` names those that it takes. Answers may get \
         further fields, and their lists of words further words, in any version: a client passes over what it does not \
         know. Fields of a request that are not known are refused by name, but for devices and registries, whose are \
         passed over."
            .to_owned(),
    );
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    info
}

fn server() -> Server {
    let text = "A stack: `host` is its host, with its stage, as `ApiUrl` among the stack's outputs has them and \
                `TIDEGATE_URL` of a local stack. Devices may also use its `DeviceStateUrl`, for their own routes alone.";
    // What the variable is, stands here: the OpenAPI schema that many tools bring knows no description of a variable.
    let host = ServerVariableBuilder::new().default_value("localhost");
    ServerBuilder::new().url("https://{host}").description(Some(text)).parameter("host", host).build()
}

fn tags() -> impl Iterator<Item = utoipa::openapi::Tag> {
    [
        ("webhooks", "Registries tell of pushes."),
        ("device-state", "A device asks what to run, and tells what it did."),
        ("devices", "Devices: enrolled with a provisioning key, seen and changed by operators."),
        ("policies", "Policies: which devices get which images, and how."),
        ("rollouts", "Rollouts: what is under way, and the commands that stop it or take it back."),
        ("images", "Images that operators roll out by hand, or let in again."),
        ("system", "Whether the stack is there, and what it can do."),
    ]
    .into_iter()
    .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
}

fn components() -> Components {
    let mut components = Components::new();
    let registry = "The webhook secret: as bearer token or as the whole value of `Authorization`; or as the last segment \
                    of the path, for registries that cannot sign. Every proof that is given must be right.";
    for (caller, description) in [
        (Caller::Registry, registry),
        (Caller::Operator, "An operator's token."),
        (Caller::Provisioning, "A provisioning key; it may be bound to fleets."),
        (Caller::Device, "A device's token: for the device of the path alone. For another device it is a 403."),
    ] {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
        components.add_security_scheme(caller.scheme().unwrap_or_default(), SecurityScheme::Http(scheme));
    }
    let signature = ApiKeyValue::with_description(
        "X-Hub-Signature-256",
        "`sha256=` and the HMAC-SHA256 of the raw body, in hex, keyed with the webhook secret: as GitHub signs.",
    );
    components.add_security_scheme(answers::SIGNATURE, SecurityScheme::ApiKey(ApiKey::Header(signature)));
    let problems = [
        (Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema()),
        (WrongField::name().into_owned(), <WrongField as utoipa::PartialSchema>::schema()),
    ];
    components.schemas.extend(problems.into_iter().chain(words::schemas()).chain(forms::schemas()));
    answers::add_to(&mut components);
    components
}
