//! Processes that outlive this one: found again by their recorded id, ended only when they are still the recorded ones.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Whether the process runs, and its command line names both files: the id alone could be somebody else's by now.
pub(super) async fn is_ours(pid: u32, script: &Path, marker: &Path) -> bool {
    let command_line = command_line(pid).await.unwrap_or_default();
    let names = |path: &Path| path.to_str().is_some_and(|text| command_line.contains(text));
    names(script) && names(marker)
}

/// The process's command line; none where there is no such process.
async fn command_line(pid: u32) -> Option<String> {
    let proc = format!("/proc/{pid}/cmdline");
    if Path::new("/proc/self/cmdline").exists() {
        let bytes = tokio::fs::read(proc).await.ok()?;
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks the process to end and waits for that; after `patience` ends it and its process group by force. The caller has
/// made sure that it is ours and leads its group.
pub(super) async fn end(pid: u32, patience: Duration) -> Result<()> {
    signal("TERM", &pid.to_string()).await?;
    let deadline = tokio::time::Instant::now() + patience;
    while command_line(pid).await.is_some_and(|line| !line.is_empty()) {
        if tokio::time::Instant::now() > deadline {
            // The functions that it started are in its group.
            signal("KILL", &format!("-{pid}")).await?;
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Sends a signal by the shell's own `kill`, which every system has.
async fn signal(name: &str, target: &str) -> Result<()> {
    let script = format!("kill -s {name} -- {target}");
    let output = Command::new("sh").args(["-c", &script]).output().await.context("sh cannot be run")?;
    let gone = String::from_utf8_lossy(&output.stderr).to_lowercase().contains("no such process");
    if !output.status.success() && !gone {
        bail!("process {target} cannot be ended: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_process_is_ours_only_with_both_names() {
        let mut child = Command::new("sh")
            .args(["-c", "echo; sleep 60; :", "/x/emulator.py", "/x/.tidegate"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let pid = child.id().expect("runs");
        // Between fork and exec the command line is still this program's: only the shell's word says that it is its own.
        child.stdout.as_mut().expect("is piped").read_u8().await.expect("sh says something");
        assert!(is_ours(pid, Path::new("/x/emulator.py"), Path::new("/x/.tidegate")).await);
        assert!(!is_ours(pid, Path::new("/x/emulator.py"), Path::new("/y/.tidegate")).await);
        end(pid, Duration::ZERO).await.expect("can be ended");
        child.wait().await.expect("ended");
        assert!(!is_ours(pid, Path::new("/x/emulator.py"), Path::new("/x/.tidegate")).await);
    }
}
