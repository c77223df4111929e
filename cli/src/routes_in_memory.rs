//! The real routes on a loopback port, over ports in memory: what the client's tests speak to.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_domain::image::AllowedRegistries;
use tidegate_domain::policy::PolicyDefaults;
use tidegate_domain::webhook::Secrets;
use tidegate_engine::settings::Settings;
use tidegate_http::AppState;
use tidegate_http::auth::{Access, ProvisioningKey, SigningKey, TokenHash, TokenList};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;
use tokio::net::TcpListener;

use crate::api::{Api, Connection};

/// A client of a stack of its own. The stack ends with the test's runtime.
pub(crate) async fn host() -> Api {
    let secrets = Connection::SECRETS_FOR_TESTS;
    let access = Access {
        operators: TokenList::new([(TokenHash::of(secrets.operator), ())]),
        provisioning: TokenList::new([(TokenHash::of(secrets.provisioning), ProvisioningKey::default())]),
        webhooks: Some(Secrets::new([secrets.webhook]).expect("a secret")),
        signing: SigningKey::new("0123456789abcdef0123456789abcdef").expect("long enough"),
    };
    let pace = tidegate_domain::pace::Pace { idle_seconds: 10, near_seconds: 2 };
    let registries = AllowedRegistries::parse("docker.io,localhost:5000").expect("a list");
    let defaults = PolicyDefaults { allowed_registries: Some(registries), ..PolicyDefaults::default() };
    let ports = MemoryPorts::default().ports(Arc::new(SeededEntropy::new(1)));
    let state = AppState::new(ports, Settings::new(defaults, pace), access, Arc::new(|| Timestamp::UNIX_EPOCH));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, tidegate_http::all(state)).await });
    Api::new(Connection::for_tests(&format!("http://{address}"))).expect("a client")
}
