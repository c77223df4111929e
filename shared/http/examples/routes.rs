//! Every route on a loopback port, over ports in memory, with what runs behind them: for whatever speaks HTTP and wants
//! to try the contract. It says in one line of JSON where it is and what lets a caller in, and ends with its input.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tidegate_domain::image::AllowedRegistries;
use tidegate_domain::pace::Pace;
use tidegate_domain::policy::PolicyDefaults;
use tidegate_domain::webhook::Secrets;
use tidegate_engine::EngineError;
use tidegate_engine::ports::Ports;
use tidegate_engine::settings::Settings;
use tidegate_http::AppState;
use tidegate_http::auth::{Access, ProvisioningKey, SigningKey, TokenHash, TokenList};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;

const OPERATOR: &str = "op_an-operator-of-the-routes-in-memory";
const PROVISIONING: &str = "pk_a-provisioning-key-of-the-routes-in-memory";
const WEBHOOK: &str = "wh_a-webhook-secret-of-the-routes-in-memory";
const SIGNING: &str = "a-signing-key-of-the-routes-in-memory";

/// How often queues and streams are looked at.
const SETTLE: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "this is a program, and the time is its own")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let access = Access {
        operators: TokenList::new([(TokenHash::of(OPERATOR), ())]),
        provisioning: TokenList::new([(TokenHash::of(PROVISIONING), ProvisioningKey::default())]),
        webhooks: Some(Secrets::new([WEBHOOK])?),
        signing: SigningKey::new(SIGNING)?,
    };
    let registries = AllowedRegistries::parse("docker.io,ghcr.io,localhost:*")?;
    let defaults = PolicyDefaults { allowed_registries: Some(registries), ..PolicyDefaults::default() };
    let settings = Settings::new(defaults, Pace { idle_seconds: 300, near_seconds: 30 });
    let memory = MemoryPorts::default();
    let ports = memory.ports(Arc::new(SeededEntropy::new(1)));
    let state = AppState::new(ports.clone(), settings.clone(), access, Arc::new(now));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("{}", json!({"url": url, "operator": OPERATOR, "provisioning": PROVISIONING, "webhook": WEBHOOK}));
    let serving = tokio::spawn(async move { axum::serve(listener, tidegate_http::all(state)).await });
    let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        served = serving => Ok(served??),
        read = input => read?.map(drop).map_err(Into::into),
        failed = run_behind(&memory, &ports, &settings) => Err(failed.into()),
    }
}

/// Lets queues and streams run dry, again and again; ends where they cannot.
async fn run_behind(memory: &MemoryPorts, ports: &Ports, settings: &Settings) -> EngineError {
    loop {
        if let Err(error) = memory.settle(ports, settings, now()).await {
            return error;
        }
        tokio::time::sleep(SETTLE).await;
    }
}
