//! How much of the device a container may take.

use bollard::models::{HostConfig, ResourcesUlimits};

use super::fields::{self, Fields};
use super::units;

pub(super) fn read(fields: &mut Fields<'_>, host: &mut HostConfig) {
    host.memory = fields.parsed("mem_limit", units::bytes);
    host.memory_reservation = fields.parsed("mem_reservation", units::bytes);
    host.memory_swap = fields.parsed("memswap_limit", units::bytes_or_unlimited);
    host.memory_swappiness = fields.number("mem_swappiness");
    host.nano_cpus = fields.parsed("cpus", units::cpus);
    host.cpu_shares = fields.number("cpu_shares");
    host.cpu_quota = fields.number("cpu_quota");
    host.cpu_period = fields.number("cpu_period");
    host.cpuset_cpus = fields.text("cpuset");
    host.pids_limit = fields.number("pids_limit");
    host.oom_score_adj = fields.number("oom_score_adj");
    host.oom_kill_disable = fields.flag("oom_kill_disable");
    host.shm_size = fields.parsed("shm_size", units::bytes);
    host.ulimits = ulimits(fields);
    deploy(fields, host);
}

/// `deploy` has the same limits by other names; what else it has is for clusters.
fn deploy(fields: &mut Fields<'_>, host: &mut HostConfig) {
    let Some(mut deploy) = fields.inner("deploy") else { return };
    if deploy.number("replicas").is_some_and(|replicas| replicas != 1) {
        deploy.note("replicas", "not supported; a service is one container");
    }
    if let Some(mut resources) = deploy.inner("resources") {
        if let Some(mut limits) = resources.inner("limits") {
            let (cpus, memory) = (limits.parsed("cpus", units::cpus), limits.parsed("memory", units::bytes));
            once(&limits, "cpus", &mut host.nano_cpus, cpus);
            once(&limits, "memory", &mut host.memory, memory);
            let pids = limits.number("pids");
            once(&limits, "pids", &mut host.pids_limit, pids);
            limits.end();
        }
        if let Some(mut reservations) = resources.inner("reservations") {
            let memory = reservations.parsed("memory", units::bytes);
            once(&reservations, "memory", &mut host.memory_reservation, memory);
            reservations.end();
        }
        resources.end();
    }
    deploy.end();
}

/// Sets a limit that may have been set by its other name, to the same.
fn once(fields: &Fields<'_>, name: &str, limit: &mut Option<i64>, value: Option<i64>) {
    match (*limit, value) {
        (_, None) => {}
        (Some(other), Some(value)) if other != value => fields.note(name, "the service says otherwise elsewhere"),
        (_, Some(_)) => *limit = value,
    }
}

fn ulimits(fields: &mut Fields<'_>) -> Option<Vec<ResourcesUlimits>> {
    let mut all = Vec::new();
    for (name, limit) in fields.named("ulimits") {
        let path = fields.path(&format!("ulimits.{name}"));
        let (soft, hard) = if limit.is_object() {
            let mut both = Fields::of(&path, limit, fields.mistakes);
            let limits = (both.number("soft"), both.number("hard"));
            both.end();
            limits
        } else {
            let both = fields::read::<i64>(&path, limit, "a whole number", fields.mistakes);
            (both, both)
        };
        match (soft, hard) {
            (Some(_), Some(_)) => all.push(ResourcesUlimits { name: Some(name), soft, hard }),
            _ => fields.mistakes.note(&path, "expected a whole number, or soft and hard"),
        }
    }
    (!all.is_empty()).then_some(all)
}
