//! Health checks by a program on the device: only one that the device's own configuration allows.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::super::exec::{Tail, judge};
use crate::fault::{Fault, Reason};
use crate::runtime::ContainerId;

/// Runs an allowed program; its exit code says whether the container is well. It is killed when the caller gives up.
pub(super) async fn run(allowed: &[PathBuf], command: &[String], service: &str, id: &ContainerId) -> Result<(), Fault> {
    let (program, arguments) = command.split_first().ok_or_else(|| refused("no program is named"))?;
    if !Path::new(program).is_absolute() || !allowed.iter().any(|one| one.as_path() == Path::new(program)) {
        return Err(refused(&format!(
            "{program} is not among the programs that this device allows for health checks on the host"
        )));
    }
    let started = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TIDEGATE_SERVICE", service)
        .env("TIDEGATE_CONTAINER", &id.0)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| refused(&format!("{program}: {error}")))?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let mut tail = Tail::default();
    let (mut one, mut other) = ([0; 1024], [0; 1024]);
    let status = loop {
        tokio::select! {
            // Its end counts, not that of a grandchild that still holds the pipe.
            status = child.wait() => break status,
            read = read(&mut out, &mut one) => take(&mut out, &mut tail, &one, read),
            read = read(&mut err, &mut other) => take(&mut err, &mut tail, &other, read),
        }
    };
    // What was written just before the end may still be in the pipes; what is there is read without waiting.
    for _ in 0..2 {
        tokio::select! {
            biased;
            read = read(&mut out, &mut one) => take(&mut out, &mut tail, &one, read),
            read = read(&mut err, &mut other) => take(&mut err, &mut tail, &other, read),
            () = tokio::task::yield_now() => {}
        }
    }
    let status = status.map_err(|error| refused(&format!("{program}: {error}")))?;
    judge(command, status.code().map(i64::from), &tail)
}

/// Reads a pipe; one that has ended never answers again.
async fn read<R: AsyncReadExt + Unpin>(pipe: &mut Option<R>, into: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(into).await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

fn take<R>(pipe: &mut Option<R>, tail: &mut Tail, bytes: &[u8], read: usize) {
    if read == 0 {
        *pipe = None;
    }
    tail.push(bytes.get(..read).unwrap_or_default());
}

fn refused(why: &str) -> Fault {
    Fault::new(Reason::Configuration, format!("the health check cannot run: {why}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn sh(script: &str, allowed: &[&str]) -> Result<(), Fault> {
        let allowed: Vec<PathBuf> = allowed.iter().map(PathBuf::from).collect();
        let command = ["/bin/sh", "-c", script].map(ToOwned::to_owned);
        run(&allowed, &command, "web", &ContainerId("1f".to_owned())).await
    }

    #[tokio::test]
    async fn only_what_is_allowed() {
        for allowed in [&[][..], &["/bin/true"], &["sh"], &["/bin"]] {
            let fault = sh("exit 0", allowed).await.expect_err("it is not allowed");
            assert_eq!(fault.reason, Reason::Configuration, "{allowed:?}");
            assert!(fault.why.contains("/bin/sh"), "{}", fault.why);
        }
        assert_eq!(sh("exit 0", &["/bin/sh"]).await, Ok(()));
        let relative = run(&[PathBuf::from("sh")], &["sh".to_owned()], "web", &ContainerId(String::new())).await;
        assert!(relative.is_err(), "a relative path means whatever lies in the path");
    }

    #[tokio::test]
    async fn what_it_says() {
        let fault = sh("echo $TIDEGATE_SERVICE is cold >&2; exit 4", &["/bin/sh"]).await.expect_err("it says no");
        assert_eq!(fault.reason, Reason::Unhealthy);
        assert_eq!(fault.why, "/bin/sh ended with 4: web is cold");
    }

    #[tokio::test]
    async fn its_end_counts_not_its_children() {
        let waited = tokio::time::timeout(Duration::from_secs(20), sh("sleep 60 & exit 0", &["/bin/sh"])).await;
        assert_eq!(waited, Ok(Ok(())));
    }
}
