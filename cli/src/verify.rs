//! Whether what happened is what should have: counts against rows, rows against what the devices run. Pure.

use std::collections::BTreeMap;

use crate::api::{Rollout, Row};
use crate::fleet::Standing;
use tidegate_agent::image::Image;
use tidegate_agent::state::memory::Running;
use tidegate_agent::state::snapshot::Doing;

/// The rows of a rollout, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    /// On the new image and healthy.
    pub(crate) healthy: u32,
    /// Failed, and not back on the old image by a rollback.
    pub(crate) failed: u32,
    /// Back on the old image.
    pub(crate) rolled_back: u32,
    /// Put off: not seen.
    pub(crate) deferred: u32,
    /// All rows but the skipped.
    pub(crate) devices: u32,
}

/// Counts rows by their status.
pub(crate) fn count<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Counted {
    let mut counted = Counted::default();
    for row in rows {
        match row.status.as_str() {
            "completed" => counted.healthy += 1,
            "failed" => counted.failed += 1,
            "rolled_back" => counted.rolled_back += 1,
            "deferred" => counted.deferred += 1,
            _ => {}
        }
        counted.devices += u32::from(row.status != "skipped");
    }
    counted
}

/// Where the rollout's counts differ from its rows.
pub(crate) fn counts(rollout: &Rollout, rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, told: u32, rows: u32| {
        if told != rows {
            found.push(format!("rollout {}: {what} is {told}, the rows say {rows}", rollout.rollout_id));
        }
    };
    let all = count(rows);
    compare("healthy_devices", rollout.healthy_devices, all.healthy);
    compare("failed_devices", rollout.failed_devices, all.failed);
    compare("deferred_devices", rollout.deferred_devices, all.deferred);
    compare("total_devices", rollout.total_devices, all.devices);
    for batch in &rollout.batches {
        let rows = count(rows.iter().filter(|row| row.batch_number == batch.number));
        let number = batch.number;
        compare(&format!("batch {number}, healthy"), batch.healthy, rows.healthy);
        compare(&format!("batch {number}, failed"), batch.failed, rows.failed);
        compare(&format!("batch {number}, rolled_back"), batch.rolled_back, rows.rolled_back);
        compare(&format!("batch {number}, devices"), batch.devices, rows.devices);
    }
    found
}

/// Where a row of an ended rollout says something else than what the device runs. Right for the newest rollout of an
/// image alone: older ones are history.
pub(crate) fn rows(rollout: &Rollout, rows: &[Row], devices: &BTreeMap<&str, &Standing>) -> Vec<String> {
    let new = Image {
        image: format!("{}:{}", rollout.image_name, rollout.new_tag.as_deref().unwrap_or("latest")),
        digest: rollout.new_digest.as_deref().and_then(|digest| digest.parse().ok()),
    };
    rows.iter()
        .filter_map(|row| {
            let device = devices.get(row.device_uuid.as_str())?;
            let runs = device.running.values().next()?;
            let problem = contradiction(row, runs, runs.image.is_same(&new), rollout.live())?;
            let reason = row.status_reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            Some(format!("device {}: {}{reason}, but {problem} {}", row.device_uuid, row.status, runs.image.image))
        })
        .collect()
}

fn contradiction(row: &Row, runs: &Running, runs_new: bool, live: bool) -> Option<&'static str> {
    let reason = row.status_reason.as_deref();
    match (row.status.as_str(), reason) {
        ("completed", _) if !runs_new => Some("it runs"),
        ("completed", _) if !runs.healthy => Some("it is not healthy on"),
        ("rolled_back" | "pending", _) | ("failed", Some("pull_failed")) | ("deferred", Some("offline"))
            if runs_new =>
        {
            Some("it runs")
        }
        ("skipped", reason) if runs_new && reason != Some("up_to_date") => Some("it runs"),
        ("updating", _) if !live => Some("the rollout ended; it runs"),
        _ => None,
    }
}

/// Where a device that is at rest runs something else than what it was told to.
pub(crate) fn targets(devices: &[Standing]) -> Vec<String> {
    let at_rest = devices.iter().filter(|device| !device.offline && device.doing == Doing::Idle);
    at_rest
        .flat_map(|device| {
            device.wanted.iter().filter_map(|(service, wanted)| {
                let runs = device.running.get(service);
                if runs.is_some_and(|runs| runs.image.is_same(wanted)) {
                    return None;
                }
                let runs = runs.map_or("nothing", |runs| runs.image.image.as_str());
                Some(format!("device {}: {service} should run {}, it runs {runs}", device.uuid, wanted.image))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Batch;
    use tidegate_agent::simulated::digest_of;

    fn image(tag: &str) -> Image {
        let image = format!("docker.io/a/b:{tag}");
        Image { digest: Some(digest_of(&image)), image }
    }

    fn rollout(status: &str, healthy: u32, rolled_back: u32) -> Rollout {
        let devices = healthy + rolled_back;
        Rollout {
            rollout_id: "R".to_owned(),
            image_name: "docker.io/a/b".to_owned(),
            new_tag: Some("v2".to_owned()),
            new_digest: image("v2").digest.map(|digest| digest.to_string()),
            status: status.to_owned(),
            total_devices: devices,
            healthy_devices: healthy,
            batches: vec![Batch { number: 1, devices, healthy, rolled_back, ..Batch::default() }],
            ..Rollout::default()
        }
    }

    fn row(uuid: &str, status: &str, reason: Option<&str>) -> Row {
        Row {
            device_uuid: uuid.to_owned(),
            batch_number: 1,
            status: status.to_owned(),
            status_reason: reason.map(str::to_owned),
            ..Row::default()
        }
    }

    fn device(runs: &str, wanted: &str) -> Standing {
        Standing {
            uuid: "d".to_owned(),
            doing: Doing::Idle,
            offline: false,
            running: [("app".to_owned(), Running::new(image(runs), true))].into(),
            wanted: [("app".to_owned(), image(wanted))].into(),
            tally: tidegate_agent::state::snapshot::Tally::default(),
        }
    }

    #[test]
    fn counts_equal_rows() {
        let rows = [row("1", "completed", None), row("2", "rolled_back", Some("unhealthy")), row("3", "skipped", None)];
        assert_eq!(counts(&rollout("completed", 1, 1), &rows), Vec::<String>::new());
        let found = counts(&rollout("completed", 2, 1), &rows);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "rollout R: healthy_devices is 2, the rows say 1");
    }

    #[test]
    fn rows_say_what_runs() {
        for (label, status, reason, runs, holds) in [
            ("healthy on new", "completed", None, "v2", true),
            ("healthy, and on old", "completed", None, "v1", false),
            ("rolled back", "rolled_back", Some("unhealthy"), "v1", true),
            ("rolled back, and on new", "rolled_back", Some("unhealthy"), "v2", false),
            ("never fetched", "failed", Some("pull_failed"), "v2", false),
            ("silent: anything", "failed", Some("timed_out"), "v2", true),
            ("had it already", "skipped", Some("up_to_date"), "v2", true),
            ("still moving after the end", "updating", None, "v1", false),
        ] {
            let device = device(runs, runs);
            let found = rows(&rollout("completed", 1, 0), &[row("d", status, reason)], &[("d", &device)].into());
            assert_eq!(found.is_empty(), holds, "{label}: {found:?}");
        }
    }

    #[test]
    fn a_device_at_rest_runs_what_it_was_told() {
        assert!(targets(&[device("v1", "v1")]).is_empty());
        assert_eq!(targets(&[device("v1", "v2")]).len(), 1);
        let busy = Standing { doing: Doing::Swapping, ..device("v1", "v2") };
        assert!(targets(&[busy, Standing { offline: true, ..device("v1", "v2") }]).is_empty());
    }
}
