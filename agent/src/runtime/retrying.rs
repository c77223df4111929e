//! An engine that is waited for: it may be restarting.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::time::{Instant, sleep};

use crate::backoff;
use crate::fault::{Fault, Reason};
use crate::image::{Image, Pulled};
use crate::runtime::{Checks, Container, ContainerId, Containers, Create, Images, Place, Service, Services};

/// How long an engine that does not answer is waited for within one call: long enough for a restart of it.
const RETRY_FOR: Duration = Duration::from_mins(2);

/// Repeats calls, which are idempotent, while the engine does not answer. Pulls and probes have tries of their own.
pub struct RetryingRuntime<E>(pub Arc<E>);

impl<E> Clone for RetryingRuntime<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

async fn retrying<T, F: Future<Output = Result<T, Fault>>>(mut call: impl FnMut() -> F) -> Result<T, Fault> {
    let until = Instant::now() + RETRY_FOR;
    let mut failures = 0;
    loop {
        match call().await {
            Err(fault) if fault.reason == Reason::EngineUnavailable && Instant::now() < until => {
                failures += 1;
                sleep(backoff::wait(failures, None, 1.0).min(Duration::from_secs(10))).await;
            }
            answer => return answer,
        }
    }
}

impl<R: Services> Services for RetryingRuntime<R> {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        retrying(|| self.0.services()).await
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        retrying(|| self.0.containers(service)).await
    }
}

impl<R: Images> Images for RetryingRuntime<R> {
    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        retrying(|| self.0.present(image)).await
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        self.0.pull(image, progress).await
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        self.0.prune(keep).await
    }
}

impl<R: Containers> Containers for RetryingRuntime<R> {
    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        retrying(|| self.0.create(create)).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        retrying(|| self.0.start(id)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        retrying(|| self.0.stop(id, grace)).await
    }

    async fn suspend_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        retrying(|| self.0.suspend_restart_policy(id)).await
    }

    async fn resume_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        retrying(|| self.0.resume_restart_policy(id)).await
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        retrying(|| self.0.rename(id, service, to)).await
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        retrying(|| self.0.serve(id, service)).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        retrying(|| self.0.remove(id)).await
    }
}

impl<R: Checks> Checks for RetryingRuntime<R> {
    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        self.0.probe(service, id, check).await
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        self.0.last_words(id).await
    }
}
