//! Deliberately broken rules: each makes the system wrong in one way that the oracle must see.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tidegate_engine::ports::{
    Condition, Freshness, Item, Key, Page, Query, Store, StoreError, Table, Write, WriteError,
};

/// A broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mutant {
    /// Functions do not see that a rollout is paused.
    SkipPauseCheck,
    /// The recorder counts every change twice.
    CountTwice,
    /// A batch opens to the whole plan at once.
    OpenEverything,
    /// The step forgets the condition on the revision: commands can lose.
    StepWins,
    /// Twin deliveries both create: the head's condition is gone.
    HeadUnguarded,
    /// The recorder forgets the condition on the row's revision.
    RowUnguarded,
    /// Journal pages overwrite one another.
    PageOverwrites,
    /// A device's item is written without the condition on its revision.
    DeviceUnguarded,
    /// What a device's write means for its row is lost.
    LogLost,
    /// The thresholds never fire.
    NeverStop,
    /// Devices go back to the new image: the way back is forgotten.
    NoWayBack,
    /// A command's status is not stored.
    CommandLost,
    /// Events of a rollout are not stored.
    EventsLost,
    /// A rollout that needs a yes is taken for approved.
    ApprovalForgotten,
    /// What a trigger passes over of its policy is not kept: it looks as if nothing was.
    OverrideUntold,
    /// A batch is taken for complete while devices are still at work.
    ImpatientBatch,
    /// What rollouts and tags were told of is forgotten: old news counts as new.
    OldNews,
    /// What the registry said before the last push counts as said after it.
    OldAnswer,
    /// A policy that is deleted leaves nothing under its name.
    NameForgotten,
    /// Nobody tells a row that another policy's rollout took its device.
    TakenOverUntold,
    /// A device that is moved to another fleet keeps its place.
    MovedStays,
    /// A device whose time zone nobody knows is judged by UTC.
    ZonelessInUtc,
    /// What a device told that it pulled is lost.
    PulledForgotten,
    /// The sweep does not find what is left of deliveries.
    LeftForgotten,
    /// What a device told before its swap passes for what it runs after it.
    SwapForgotten,
    /// Rollouts are compiled without their approval.
    NoApprovalGate,
    /// Without their window.
    NoWindowGate,
    /// Without a look at what devices pulled.
    NoContentsGate,
    /// Without the failure rules.
    NoFailureRulesGate,
    /// Without waiting for their batches.
    NoSettledGate,
    /// Without the delay between batches.
    NoDelayGate,
    /// Without the soak between batches.
    NoSoakGate,
    /// Without the earliest start.
    NoNotBeforeGate,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 33] = [
        Self::SkipPauseCheck,
        Self::CountTwice,
        Self::OpenEverything,
        Self::StepWins,
        Self::HeadUnguarded,
        Self::RowUnguarded,
        Self::PageOverwrites,
        Self::DeviceUnguarded,
        Self::LogLost,
        Self::NeverStop,
        Self::NoWayBack,
        Self::CommandLost,
        Self::EventsLost,
        Self::ApprovalForgotten,
        Self::OverrideUntold,
        Self::ImpatientBatch,
        Self::OldNews,
        Self::OldAnswer,
        Self::NameForgotten,
        Self::TakenOverUntold,
        Self::MovedStays,
        Self::ZonelessInUtc,
        Self::PulledForgotten,
        Self::LeftForgotten,
        Self::SwapForgotten,
        Self::NoApprovalGate,
        Self::NoWindowGate,
        Self::NoContentsGate,
        Self::NoFailureRulesGate,
        Self::NoSettledGate,
        Self::NoDelayGate,
        Self::NoSoakGate,
        Self::NoNotBeforeGate,
    ];

    /// The gate that is left out of every plan.
    const fn gate(self) -> Option<&'static str> {
        match self {
            Self::NoApprovalGate => Some("approval"),
            Self::NoWindowGate => Some("window"),
            Self::NoContentsGate => Some("contents"),
            Self::NoFailureRulesGate => Some("failure_rules"),
            Self::NoSettledGate => Some("settled"),
            Self::NoDelayGate => Some("delay"),
            Self::NoSoakGate => Some("soak"),
            Self::NoNotBeforeGate => Some("not_before"),
            _ => None,
        }
    }
}

/// A store through which a broken rule shows.
pub(super) struct Sabotaged {
    pub inner: Arc<dyn Store>,
    pub mutant: Mutant,
}

impl Sabotaged {
    fn write_of(&self, write: &Write) -> Option<Write> {
        let mut write = write.clone();
        let table = write.table();
        match (self.mutant, table, &mut write) {
            (Mutant::CountTwice, Table::RolloutJournal, Write::Put { item, .. }) if is_page(item) => twice(item),
            (Mutant::OpenEverything, Table::Rollouts, Write::Put { item, .. })
                if item.get("open_to").and_then(Value::as_u64).is_some_and(|open| open > 0) =>
            {
                item["open_to"] = item["total"].clone();
            }
            (Mutant::StepWins, Table::Rollouts, Write::Put { condition, .. })
                if matches!(condition, Condition::Equals("revision", _)) =>
            {
                *condition = Condition::Always;
            }
            (Mutant::HeadUnguarded, Table::Images, Write::Put { condition, .. } | Write::Update { condition, .. })
            | (Mutant::RowUnguarded, Table::DeviceRollouts, Write::Put { condition, .. })
            | (Mutant::PageOverwrites, Table::RolloutJournal, Write::Put { condition, .. })
            | (Mutant::DeviceUnguarded, Table::Devices, Write::Put { condition, .. }) => *condition = Condition::Always,
            (Mutant::LogLost, Table::Devices, Write::Put { item, .. }) => {
                item.remove("log");
            }
            (Mutant::TakenOverUntold, Table::Devices, Write::Put { item, .. }) => forget_entries(item, "taken_over"),
            (Mutant::MovedStays, Table::Devices, Write::Put { item, .. }) => {
                forget_entries(item, "removed");
                let text = serde_json::to_string(&item).unwrap_or_default();
                if let Ok(stays) = serde_json::from_str(&text.replace(r#"{"k":{"r":"removed"}}"#, r#""w""#)) {
                    *item = stays;
                }
            }
            (Mutant::PulledForgotten, Table::Devices, Write::Put { item, .. }) => forget_pulled(item),
            (Mutant::SwapForgotten, Table::Devices, Write::Put { item, .. }) => forget_swaps(item),
            (Mutant::NoWayBack, Table::Devices, Write::Put { item, .. }) => forget_baselines(item),
            (Mutant::CommandLost, Table::Rollouts, Write::Update { set, .. }) => {
                set.retain(|(name, _)| *name != "status");
            }
            (Mutant::OldNews, Table::Rollouts, Write::Put { item, .. }) => {
                item.remove("news");
            }
            (Mutant::OldNews, Table::Images, Write::Put { item, .. }) => {
                item.remove("event_time");
            }
            (Mutant::ApprovalForgotten, Table::Rollouts, Write::Put { item, .. })
                if item.get("status") == Some(&json!("awaiting_approval")) =>
            {
                item.insert("status".to_owned(), json!("scheduled"));
            }
            (Mutant::OverrideUntold, Table::Rollouts, Write::Put { item, .. }) => {
                item.remove("override");
            }
            (Mutant::NameForgotten, Table::Policies, Write::Put { item, condition, .. })
                if item.contains_key("left_id") && !item.contains_key("policy_id") =>
            {
                return Some(Write::Delete { key: Key::of(table, item)?, condition: condition.clone() });
            }
            (Mutant::LeftForgotten, Table::Rollouts, Write::Put { item, .. }) if item.contains_key("notices") => {
                item.remove("live");
            }
            (Mutant::EventsLost, Table::Events, Write::Put { .. }) => return None,
            _ => {}
        }
        Some(write)
    }

    fn seen(&self, table: Table, item: Item) -> Item {
        let mut item = item;
        match (self.mutant, table) {
            (Mutant::SkipPauseCheck, Table::Rollouts) if item.get("status") == Some(&json!("paused")) => {
                item.insert("status".to_owned(), json!("in_progress"));
            }
            (Mutant::NeverStop, Table::Rollouts) => {
                if let Some(policy) = item.get_mut("policy").and_then(Value::as_object_mut) {
                    policy.insert("max_failure_rate".to_owned(), json!(1_000_000));
                    policy.insert("max_consecutive_failures".to_owned(), json!(1_000_000));
                }
            }
            (Mutant::OldAnswer, Table::Rollouts) if item.contains_key("merged") => {
                item.insert("merged".to_owned(), json!(1_000));
            }
            (Mutant::ZonelessInUtc, Table::Rollouts) => {
                if let Some(Value::Object(window)) = item.get_mut("policy").and_then(|policy| policy.get_mut("window"))
                    && window.get("timezone") == Some(&json!("device"))
                {
                    window.entry("fallback_timezone").or_insert(json!("UTC"));
                }
            }
            (Mutant::ImpatientBatch, Table::RolloutJournal) => {
                // Whoever starts to work is taken for healthy.
                let text = serde_json::to_string(&item).unwrap_or_default();
                if let Ok(Value::Object(hasty)) = serde_json::from_str(&text.replace("\"u\":", "\"h\":")) {
                    item = hasty;
                }
            }
            (mutant, Table::Rollouts) if let Some(gate) = mutant.gate() => leave_gate_out(&mut item, gate),
            _ => {}
        }
        item
    }
}

/// Takes a gate out of a plan.
fn leave_gate_out(item: &mut Item, gate: &str) {
    let Some(stages) = item.get_mut("stages") else { return };
    let leave_out = |gates: &mut Value| {
        if let Value::Array(gates) = gates {
            gates.retain(|one| one["gate"] != gate);
        }
    };
    leave_out(&mut stages["entry"]);
    for stage in stages["stages"].as_array_mut().into_iter().flatten() {
        leave_out(&mut stage["gates"]);
    }
}

fn is_page(item: &Item) -> bool {
    item.get("n").and_then(Value::as_str).is_some_and(|n| n.starts_with("page#"))
}

fn twice(item: &mut Item) {
    if let Some(Value::Array(deltas)) = item.get_mut("d") {
        let again = deltas.clone();
        deltas.extend(again);
    }
}

fn forget_pulled(item: &mut Item) {
    let tracks = item.get_mut("trk").and_then(Value::as_object_mut);
    for track in tracks.into_iter().flat_map(|tracks| tracks.values_mut()).filter_map(Value::as_object_mut) {
        if let Some(place) = track.get_mut("c").and_then(Value::as_object_mut) {
            place.remove("x");
        }
    }
    let entries = item.get_mut("log").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
        if entry.get("e") == Some(&json!("image_pulled")) {
            entry.remove("d");
        }
    }
}

fn forget_swaps(item: &mut Item) {
    let services = item.get_mut("svc").and_then(Value::as_object_mut);
    for service in services.into_iter().flat_map(|services| services.values_mut()) {
        if let Some(running) = service.get_mut("n").and_then(Value::as_object_mut) {
            running.remove("b");
        }
    }
}

/// Takes the entries of this reason out of what a device's write tells its rows.
fn forget_entries(item: &mut Item, reason: &str) {
    if let Some(Value::Array(entries)) = item.get_mut("log") {
        entries.retain(|entry| entry.get("w").and_then(Value::as_str) != Some(reason));
    }
}

fn forget_baselines(item: &mut Item) {
    let Some(tracks) = item.get_mut("trk").and_then(Value::as_object_mut) else { return };
    for track in tracks.values_mut().filter_map(Value::as_object_mut) {
        let settled = track.get("c").is_some_and(|current| current.to_string().contains("\"s\":\"h\""));
        if settled && let Some(runs) = item_digest(track) {
            track.insert("b".to_owned(), json!({ "t": "v1", "d": runs }));
        }
    }
}

fn item_digest(track: &serde_json::Map<String, Value>) -> Option<String> {
    let known = track.get("b")?.get("d")?.as_str()?;
    let wrong: String = known.chars().take(71 - 4).chain("dead".chars()).collect();
    Some(wrong)
}

#[async_trait]
impl Store for Sabotaged {
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError> {
        Ok(self.inner.get(key, freshness).await?.map(|item| self.seen(key.table, item)))
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let mut page = self.inner.query(query).await?;
        if let tidegate_engine::ports::Source::Table(table) = query.source {
            page.items = page.items.into_iter().map(|item| self.seen(table, item)).collect();
        }
        Ok(page)
    }

    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError> {
        self.inner.scan(table, after, limit).await
    }

    async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let writes: Vec<Write> = writes.iter().filter_map(|write| self.write_of(write)).collect();
        if writes.is_empty() { Ok(()) } else { self.inner.write(&writes).await }
    }
}
