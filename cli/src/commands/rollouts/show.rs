//! Rollouts as tables.

use anyhow::Result;
use serde_json::Value;

use crate::api::{Event, Rollout, Row, Stage};
use crate::stdout;
use crate::table::{Table, cell};

/// Prints the value as it came, where that is asked for.
fn as_json(value: &impl serde::Serialize, json: bool) -> Result<bool> {
    if json {
        stdout::json(value)?;
    }
    Ok(json)
}

/// A list of rollouts.
pub(super) fn rollouts(found: &[Value], json: bool) -> Result<()> {
    if as_json(&found, json)? {
        return Ok(());
    }
    let mut table =
        Table::new(["ROLLOUT", "IMAGE", "POLICY", "STATUS", "BATCH", "DEVICES", "HEALTHY", "FAILED", "BACK"]);
    for value in found {
        let rollout: Rollout = serde_json::from_value(value.clone())?;
        table.row([
            rollout.rollout_id.clone(),
            format!("{}:{}", rollout.image_name, cell(rollout.new_tag.as_ref())),
            cell(rollout.policy.as_ref()),
            rollout.status.clone(),
            format!("{}/{}", rollout.current_batch, rollout.batches.len()),
            rollout.total_devices.to_string(),
            rollout.healthy_devices.to_string(),
            rollout.ever_failed_devices.unwrap_or(rollout.failed_devices).to_string(),
            rollout.rolled_back().to_string(),
        ]);
    }
    if table.is_empty() {
        stdout::line("There are no such rollouts.")?;
    } else {
        stdout::print(&table)?;
    }
    Ok(())
}

/// One rollout.
pub(super) fn rollout(found: &Value, json: bool) -> Result<()> {
    if as_json(found, json)? {
        return Ok(());
    }
    let rollout: Rollout = serde_json::from_value(found.clone())?;
    let to = cell(rollout.new_tag.as_ref());
    stdout::line(format_args!("rollout    {}", rollout.rollout_id))?;
    stdout::line(format_args!("image      {}: {} to {to}", rollout.image_name, cell(rollout.old_tag.as_ref())))?;
    stdout::line(format_args!("digest     {}", cell(rollout.new_digest.as_ref())))?;
    stdout::line(format_args!("policy     {} ({})", cell(rollout.policy.as_ref()), rollout.strategy))?;
    if let Some(over) = &rollout.overridden {
        let what = over.passed_over.join(", ");
        stdout::line(format_args!("override   {what} passed over by {}: {}", over.by, over.reason))?;
    }
    stdout::line(format_args!("status     {}", rollout.status))?;
    if let (Some(at), by) = (&rollout.paused_at, cell(rollout.paused_by.as_ref())) {
        stdout::line(format_args!("paused     {at} by {by}"))?;
    }
    let why = rollout.error_message.as_ref().or(rollout.reason.as_ref());
    if let Some(why) = why {
        let label = if rollout.error_message.is_some() { "error" } else { "reason" };
        stdout::line(format_args!("{label:<10} {why}"))?;
    }
    // A pause is told above, line by line.
    let told = |text: &&String| why == Some(*text) || rollout.paused_at.is_some();
    if let Some(waiting_for) = rollout.waiting_for.as_ref().filter(|text| !told(text)) {
        stdout::line(format_args!("now        {waiting_for}"))?;
    }
    if let Some(at) = rollout.approval.as_ref().and_then(|approval| approval.pushed_at.as_ref()) {
        stdout::line(format_args!("pushed     again at {at}: that is what devices would get"))?;
    }
    if let Some(next) = what_next(&rollout) {
        stdout::line(format_args!("next       {next}"))?;
    }
    for (what, at) in
        [("created", &rollout.created_at), ("started", &rollout.started_at), ("completed", &rollout.completed_at)]
    {
        if let Some(at) = at {
            stdout::line(format_args!("{what:<10} {at}"))?;
        }
    }
    stdout::line(format_args!("devices    {}, of them {} put off", rollout.total_devices, rollout.deferred_devices))?;
    let mut table = Table::new(["BATCH", "DEVICES", "UPDATED", "HEALTHY", "FAILED", "BACK", "OPENED", "COMPLETED"]);
    for batch in &rollout.batches {
        table.row([
            batch.number.to_string(),
            batch.devices.to_string(),
            batch.updated.to_string(),
            batch.healthy.to_string(),
            batch.ever_failed.unwrap_or(batch.failed).to_string(),
            batch.rolled_back.to_string(),
            cell(batch.opened_at.as_ref()),
            cell(batch.completed_at.as_ref()),
        ]);
    }
    if !table.is_empty() {
        stdout::print(format_args!("\n{table}"))?;
    }
    stages(&rollout.stages)
}

/// Each stage with its gates: a mark says what a gate says, and below stands why it holds the rollout up.
fn stages(stages: &[Stage]) -> Result<()> {
    if stages.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        "STAGE",
        "REACHES",
        "GATES (\u{2713} passed, \u{2026} waiting, \u{2717} stopped, ? nothing proven)",
    ]);
    for stage in stages.iter().filter(|stage| !stage.gates.is_empty()) {
        let number = if stage.number == 0 { "entry".to_owned() } else { stage.number.to_string() };
        let gates = stage.gates.iter().map(|gate| format!("{}{}", mark(&gate.state), gate.kind)).collect::<Vec<_>>();
        table.row([number, cell(stage.share.as_ref()), gates.join("  ")]);
        for gate in &stage.gates {
            if let Some(why) = &gate.why {
                table.row([String::new(), String::new(), format!("  {}: {why}", gate.kind)]);
            }
        }
    }
    stdout::print(format_args!("\n{table}"))?;
    Ok(())
}

fn mark(state: &str) -> &'static str {
    match state {
        "passed" => "\u{2713} ",
        "waiting" => "\u{2026} ",
        "stopped" => "\u{2717} ",
        "inconclusive" => "? ",
        _ => "",
    }
}

/// What an operator can do about a rollout that waits for one.
fn what_next(rollout: &Rollout) -> Option<String> {
    let id = &rollout.rollout_id;
    match rollout.status.as_str() {
        "paused" => {
            let batch = rollout.batches.get((rollout.current_batch as usize).wrapping_sub(1));
            let skip = if batch.is_some_and(|batch| batch.healthy == 0) { " [--skip-batch]" } else { "" };
            Some(format!("tidegate rollouts resume {id} --reason WHY{skip}; or cancel, or rollback-all"))
        }
        "awaiting_approval" => Some(format!("tidegate rollouts approve {id}{}; or reject", sealed(rollout))),
        "expired" => Some(format!("tidegate rollouts approve {id}{} asks for approval anew", sealed(rollout))),
        _ => None,
    }
}

/// Where a tag alone says what is brought, the answer says what was seen.
fn sealed(rollout: &Rollout) -> String {
    let approval = rollout.approval.as_ref().filter(|approval| approval.seal_needed);
    approval.map(|approval| format!(" --seal {}", approval.seal)).unwrap_or_default()
}

/// What became of a command: how the rollout stands, and whether anything changed.
pub(super) fn commanded(command: &str, answer: &Value, json: bool) -> Result<()> {
    if as_json(answer, json)? {
        return Ok(());
    }
    rollout(answer, false)?;
    if answer["changed"] == false {
        stdout::line(format_args!("{command} changed nothing: the rollout stood so already"))?;
    }
    if let Some(hint) = answer["hint"].as_str() {
        stdout::line(hint)?;
    }
    Ok(())
}

/// A rollout's rows.
pub(super) fn rows(found: &[Value], json: bool) -> Result<()> {
    if as_json(&found, json)? {
        return Ok(());
    }
    let mut table = Table::new(["DEVICE", "BATCH", "STATUS", "REASON", "UNTIL", "FROM", "TO", "MESSAGE"]);
    for value in found {
        let row: Row = serde_json::from_value(value.clone())?;
        table.row([
            row.device_uuid.clone(),
            row.batch_number.to_string(),
            row.status.clone(),
            cell(row.status_reason.as_ref()),
            cell(row.blocked_until.as_ref()),
            cell(row.old_image_tag.as_ref()),
            cell(row.new_image_tag.as_ref()),
            cell(row.error_message.as_ref()),
        ]);
    }
    stdout::print(&table)?;
    stdout::line(format_args!("{} devices", found.len()))?;
    Ok(())
}

/// A rollout's events.
pub(super) fn events(found: &[Value], json: bool) -> Result<()> {
    if as_json(&found, json)? {
        return Ok(());
    }
    let mut table = Table::new(["AT", "EVENT", "DEVICE", "DETAILS"]);
    for value in found {
        let event: Event = serde_json::from_value(value.clone())?;
        let details = event.rest.get("details").filter(|details| details.as_object().is_some_and(|d| !d.is_empty()));
        table.row([
            event.at.clone(),
            event.event.clone(),
            cell(event.device_uuid.as_ref()),
            details.map_or_else(|| "-".to_owned(), ToString::to_string),
        ]);
    }
    stdout::print(&table)?;
    stdout::line(format_args!("{} events", found.len()))?;
    Ok(())
}

/// What a trigger began, or would begin.
pub(super) fn triggered(answer: &Value, json: bool) -> Result<()> {
    if as_json(answer, json)? {
        return Ok(());
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    };
    if let Some(begun) = answer["rollouts"].as_array() {
        let mut table = Table::new(["ROLLOUT", "POLICY", "STATUS", "DEVICES", "REASON"]);
        for rollout in begun {
            let devices = text(&rollout["affected_devices"]);
            let [id, policy, status, reason] =
                ["rollout_id", "policy", "status", "reason"].map(|field| text(&rollout[field]));
            table.row([id, policy, status, devices, reason]);
        }
        stdout::print(&table)?;
        return begun.iter().try_for_each(kept_out);
    }
    for outcome in answer["outcomes"].as_array().into_iter().flatten().filter(|outcome| !outcome["reason"].is_null()) {
        let [policy, status, reason] = ["policy", "status", "reason"].map(|field| text(&outcome[field]));
        stdout::line(format_args!("{policy}: {status}, {reason}"))?;
    }
    kept_out(answer)?;
    stdout::line(format_args!("{} devices would take part", text(&answer["total_devices"])))?;
    for batch in answer["batches"].as_array().into_iter().flatten() {
        stdout::line(format_args!("  {}", batch_in_words(batch)))?;
    }
    for over in answer["passed_over"].as_array().into_iter().flatten() {
        let list = |field: &str| {
            let names = over[field].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.collect::<Vec<_>>().join(", ")
        };
        stdout::line(format_args!(
            "it would pass over, of the policy {}: {}",
            text(&over["policy"]),
            list("safeguards")
        ))?;
        let flags = over["unsaid"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let flags: Vec<String> = flags.map(|safeguard| format!("--override-{safeguard}")).collect();
        if !flags.is_empty() {
            stdout::line(format_args!("  and is refused without {} --reason WHY", flags.join(" ")))?;
        }
    }
    for (reason, count) in answer["skipped"].as_object().into_iter().flatten() {
        stdout::line(format_args!("{count} would be skipped: {reason}"))?;
    }
    Ok(())
}

/// Policies that keep out what is rolled out.
fn kept_out(answer: &Value) -> Result<()> {
    for kept in answer["bad_for"].as_array().into_iter().flatten() {
        let [policy, reason] = ["policy", "reason"].map(|field| kept[field].as_str().unwrap_or("-"));
        stdout::line(format_args!("the policy {policy} keeps it out: {reason}"))?;
    }
    Ok(())
}

fn batch_in_words(batch: &Value) -> String {
    match (batch["number"].as_u64(), batch["devices"].as_u64(), batch["policy"].as_str()) {
        (Some(number), Some(devices), Some(policy)) => format!("batch {number} of {policy}: {devices} devices"),
        (Some(number), Some(devices), None) => format!("batch {number}: {devices} devices"),
        _ => batch.to_string(),
    }
}
