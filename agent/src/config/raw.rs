//! The file as it is written. What it may say is exactly these fields.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::quantity::Quantity;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) url: Option<String>,
    pub(super) device_state_url: Option<String>,
    pub(super) name: Option<String>,
    pub(super) fleet_id: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) provisioning_key_file: Option<PathBuf>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) runtime_dir: Option<PathBuf>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) engine: RawEngine,
    pub(super) pull: RawPull,
    pub(super) health: RawHealth,
    pub(super) hooks: RawHooks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawEngine {
    pub(super) socket: Option<String>,
    pub(super) compose_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawPull {
    pub(super) registry_config: Option<PathBuf>,
    pub(super) bandwidth_limit: Option<Quantity>,
    pub(super) concurrency: Option<u64>,
    pub(super) keep_free: Option<Quantity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawHealth {
    pub(super) allowed_commands: Vec<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawHooks {
    pub(super) directory: Option<PathBuf>,
    pub(super) timeout: Option<Quantity>,
}
