//! The rows, and how each is played.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use futures::StreamExt as _;

use super::case::{Case, ends, foreign, good, hangs, large, layered, mismatched, unhealthy, without_program};
use super::device::Device;
use super::server::Standing;
use super::stage::{Stage, pairs_of_ports};
use super::trouble::Trouble;
use super::wait::until;

/// Devices at a time on the one engine: they mostly wait.
const AT_A_TIME: usize = 8;

const FETCHED: &str = "image_pulling, image_pulled";
const STARTED: &str = "container_updating, update_completed";
const HEALTHY: &str = "health_check_passed";

/// Long ones first.
#[rustfmt::skip]
const CASES: [Case; 27] = [
    Case { label: "registry cut", old: good, new: large, trouble: Trouble::RegistryCut,
        told: &[FETCHED, STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "registry lost", old: good, new: large, trouble: Trouble::RegistryLost,
        told: &["image_pulling", "update_failed registry_unavailable"], serves: Some("v1") },
    Case { label: "agent killed", old: good, new: large, trouble: Trouble::Killed,
        told: &[FETCHED, STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "corrupt layer", old: good, new: layered, trouble: Trouble::Corrupt,
        told: &["image_pulling", "update_failed corrupt_image"], serves: Some("v1") },
    Case { label: "registry gone", old: good, new: good, trouble: Trouble::RegistryGone,
        told: &["image_pulling", "update_failed registry_unavailable"], serves: Some("v1") },
    Case { label: "server cut", old: good, new: good, trouble: Trouble::ServerCut,
        told: &[FETCHED, STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "server cut and unhealthy", old: good, new: unhealthy, trouble: Trouble::ServerCut,
        told: &[FETCHED, STARTED, "health_check_failed unhealthy, rolled_back unhealthy"], serves: Some("v1") },
    Case { label: "locked", old: good, new: good, trouble: Trouble::Locked,
        told: &[FETCHED, "update_blocked locked, image_pulled", STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "hook defers", old: good, new: good, trouble: Trouble::HookDefers,
        told: &[FETCHED, "update_blocked locked", STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "unhealthy", old: good, new: unhealthy, trouble: Trouble::None,
        told: &[FETCHED, STARTED, "health_check_failed unhealthy, rolled_back unhealthy"], serves: Some("v1") },
    Case { label: "ends at once", old: good, new: ends, trouble: Trouble::None,
        told: &[FETCHED, STARTED, "health_check_failed unhealthy, rolled_back unhealthy"], serves: Some("v1") },
    Case { label: "no program", old: good, new: without_program, trouble: Trouble::None,
        told: &[FETCHED, "container_updating, update_failed exits_at_once, rolled_back exits_at_once"],
        serves: Some("v1") },
    Case { label: "healthy", old: good, new: good, trouble: Trouble::None,
        told: &[FETCHED, STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "hangs when stopped", old: hangs, new: good, trouble: Trouble::None,
        told: &[FETCHED, STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "beside", old: good, new: good, trouble: Trouble::Beside,
        told: &[FETCHED, STARTED, HEALTHY], serves: Some("v2") },
    Case { label: "mismatched layers", old: good, new: mismatched, trouble: Trouble::None,
        told: &["image_pulling", "update_failed corrupt_image"], serves: Some("v1") },
    Case { label: "port taken", old: good, new: good, trouble: Trouble::PortTaken,
        told: &[FETCHED, "container_updating, update_failed port_taken, rolled_back port_taken"],
        serves: Some("v1") },
    Case { label: "name taken", old: good, new: good, trouble: Trouble::NameTaken,
        told: &[FETCHED, "update_failed name_taken"], serves: None },
    Case { label: "next name taken", old: good, new: good, trouble: Trouble::NextNameTaken,
        told: &[FETCHED, "container_updating, update_failed name_taken, rolled_back name_taken"], serves: Some("v1") },
    Case { label: "no image", old: good, new: good, trouble: Trouble::NoImage,
        told: &["image_pulling", "update_failed image_not_found"], serves: Some("v1") },
    Case { label: "registry denies", old: good, new: good, trouble: Trouble::Denied,
        told: &["image_pulling", "update_failed registry_denied"], serves: Some("v1") },
    Case { label: "other platform", old: good, new: foreign, trouble: Trouble::None,
        told: &["image_pulling", "update_skipped wrong_platform"], serves: Some("v1") },
    Case { label: "disk full", old: good, new: good, trouble: Trouble::DiskFull,
        told: &["image_pulling", "update_failed disk_full"], serves: Some("v1") },
    Case { label: "hook says no", old: good, new: good, trouble: Trouble::HookFails("web.pre-update"),
        told: &[FETCHED, "update_failed hook_failed"], serves: Some("v1") },
    Case { label: "hook says no afterwards", old: good, new: good, trouble: Trouble::HookFails("post-update"),
        told: &[FETCHED, STARTED, "update_failed hook_failed, rolled_back hook_failed"], serves: Some("v1") },
    Case { label: "token revoked", old: good, new: good, trouble: Trouble::Revoked, told: &[], serves: Some("v1") },
    Case { label: "device deleted", old: good, new: good, trouble: Trouble::Deleted, told: &[], serves: Some("v1") },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_ends_as_documented() {
    let Some(stage) = Stage::set().await else { return };
    let (began, wrong) = (Instant::now(), Mutex::new(Vec::new()));
    let ports = pairs_of_ports(CASES.len());
    futures::stream::iter(CASES.iter().zip(ports))
        .for_each_concurrent(AT_A_TIME, async |(case, port)| {
            let seconds = || began.elapsed().as_secs();
            match play(&stage, case, port).await {
                Ok(()) => eprintln!("{}: as documented, after {} s", case.label, seconds()),
                Err(error) => {
                    eprintln!("{}: WRONG, after {} s", case.label, seconds());
                    wrong.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {error:#}", case.label));
                }
            }
        })
        .await;
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{} cases end otherwise:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

async fn play(stage: &Stage, case: &Case, port: u16) -> Result<()> {
    let mut device = Device::make(stage, case, port).await?;
    let lived = live(&mut device, case).await;
    let told = device.server.talk().story();
    let lived = lived.map_err(|error| anyhow!("{error:#}\nit told {told}; the agent's log ends\n{}", device.said()));
    let cleared = device.clear().await;
    lived.and(cleared)
}

/// From a device that runs the old image to the end of the row.
async fn live(device: &mut Device<'_>, case: &Case) -> Result<()> {
    device.start()?;
    if case.trouble.begins_with_old() {
        let told = async || device.server.talk().runs.as_ref().is_some_and(|runs| runs.healthy).then_some(());
        until(case.label, "the old image runs", told).await?;
        until(case.label, "the old image serves", async || (device.version().await? == "v1").then_some(())).await?;
    }
    case.trouble.happen(device, case.serves).await?;
    if device.server.talk().standing == Standing::Known {
        until(case.label, "the rollout has ended", async || device.server.talk().ended()).await?;
        // After all that it does on this answer.
        let again = device.server.talk().asked + 2;
        let settled = async || (device.server.talk().asked >= again).then_some(());
        until(case.label, "it has asked twice more", settled).await?;
    }
    is_as_it_should_be(device, case).await
}

async fn is_as_it_should_be(device: &mut Device<'_>, case: &Case) -> Result<()> {
    device.is_up()?;
    let (story, wrong, runs) = {
        let talk = device.server.talk();
        (talk.story(), talk.wrong.clone(), talk.runs.clone())
    };
    ensure!(story == case.story(), "it told {story}\nand not {}", case.story());
    ensure!(wrong.is_empty(), "the contract was broken: {wrong:?}");
    let own = case.serves.map(|_| "");
    let names: Vec<String> = own
        .into_iter()
        .chain(case.trouble.stranger())
        .map(|place| format!("{}-web-1{place}", device.project))
        .collect();
    let there = device.names().await?;
    ensure!(there == names, "its containers are {there:?}");
    let Some(version) = case.serves else {
        ensure!(runs.is_none(), "it says that it runs {runs:?}");
        return Ok(());
    };
    let serves = device.version().await;
    ensure!(serves.as_deref() == Some(version), "{serves:?} serves, and not {version}");
    let said = runs.map(|runs| (runs.image.ends_with(&format!(":{version}")), runs.digest.is_some(), runs.healthy));
    ensure!(said == Some((true, true, true)), "it says that it runs {said:?}");
    // For the way back of all.
    ensure!(device.has(&device.old_reference()).await, "the old image is gone");
    Ok(())
}
