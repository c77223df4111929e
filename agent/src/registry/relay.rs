//! A registry on the device itself that has one image: the engine pulls from it, it pulls from the real one.
//!
//! So the agent limits and resumes what the engine fetches, and the engine needs no login of its own. It exists while
//! one pull runs, listens on the loopback interface alone, and serves nothing but that image's content, under a name
//! that nobody can guess.

mod reader;
mod serve;

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use tidegate_domain::image::{Digest, Repository};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use self::serve::Served;
use super::client::RegistryClient;
use super::download::Shared;
use super::resolved_image::ResolvedImage;
use super::spool::{Lease, Spool};
use super::throttle::Throttle;
use crate::fault::{Fault, Reason};
use crate::image::{Image, Pulled};
use crate::registry::disk;

/// The longest name that every engine takes, with its host.
const NAME_MAX: usize = 255;

/// What downloads may take, all of them together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In bytes per second; without it, what the network gives.
    pub bandwidth: Option<NonZeroU64>,
    pub downloads: NonZeroU32,
    /// Bytes that stay free on the disk that they are spooled to.
    pub keep_free: u64,
}

/// Starts relays. There is one of it in a process.
#[derive(Debug)]
pub struct Relays {
    client: RegistryClient,
    keep_free: u64,
    shared: Arc<Shared>,
    spool: Arc<Spool>,
}

impl Relays {
    /// With these limits, and this folder for what was fetched of an image that is not yet in the engine.
    pub fn new(client: RegistryClient, limits: Limits, spool_dir: PathBuf) -> Self {
        let turns = Semaphore::new(limits.downloads.get() as usize);
        let shared = Arc::new(Shared { throttle: Throttle::new(limits.bandwidth), turns });
        Self { client, keep_free: limits.keep_free, shared, spool: Arc::new(Spool::new(spool_dir)) }
    }

    /// The client that looks images up.
    pub fn client(&self) -> &RegistryClient {
        &self.client
    }

    /// Starts a relay for an image that was looked up. What is spooled of images that no relay is for is removed.
    pub async fn start(&self, image: &Image, looked: &ResolvedImage) -> Result<Relay, Fault> {
        let (source, _) = self.client.source(image)?;
        let lease = self.spool.take(&looked.blobs())?;
        let missing = lease.blobs().iter().map(|blob| blob.size - blob.here()).fold(0, u64::saturating_add);
        disk::check(self.spool.folder(), missing, self.keep_free)?;
        let name = name(source.repository())?;
        let closed = |error: std::io::Error| {
            Fault::new(Reason::Configuration, format!("no port on 127.0.0.1 for the engine to pull from: {error}"))
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(closed)?;
        let port = listener.local_addr().map_err(closed)?.port();
        let served = Served::new(name.clone(), looked, lease.blobs());
        let mut server = JoinSet::new();
        server.spawn(serve::run(listener, Arc::new(served), Arc::new(source), Arc::clone(&self.shared)));
        Ok(Relay {
            name: format!("127.0.0.1:{port}/{name}"),
            digest: looked.digest.clone(),
            total: looked.total_bytes,
            known: looked.known_bytes(),
            lease,
            spool: Arc::clone(&self.spool),
            _server: server,
        })
    }

    /// Removes what is spooled and no relay is for: at the agent's start, where no pull is to be taken up again.
    pub fn clear(&self) -> Result<(), Fault> {
        self.spool.clear()
    }
}

/// A relay. It ends when it is dropped; what it fetched is kept, for the next one for this image to go on from.
#[derive(Debug)]
pub struct Relay {
    name: String,
    digest: Digest,
    total: u64,
    /// Of it, what looking it up brought.
    known: u64,
    lease: Lease,
    spool: Arc<Spool>,
    /// Ends, with all that it serves and fetches, when it is dropped.
    _server: JoinSet<()>,
}

impl Relay {
    /// What the engine is told to pull.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.name, self.digest)
    }

    /// The part of the reference before the digest, as the engine's pull wants it by itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How much is here. Layers that the engine has already are never asked for, so a pull may end below its total.
    pub fn pulled(&self) -> Pulled {
        let done = self.lease.blobs().iter().map(|blob| blob.here()).fold(self.known, u64::saturating_add);
        Pulled { done, total: self.total }
    }

    /// Runs the engine's pull, tells how far it is, and says why it came to nothing: the engine knows only that its
    /// registry, which is this relay, broke off. Ends the pull once a download was given up.
    pub async fn follow<T>(
        &self,
        pull: impl Future<Output = Result<T, Fault>>,
        progress: &(dyn Fn(Pulled) + Send + Sync),
    ) -> Result<T, Fault> {
        let mut states: Vec<_> = self.lease.blobs().iter().map(|blob| blob.follow()).collect();
        let mut pull = pin!(pull);
        progress(self.pulled());
        loop {
            let changed = pin!(any_changed(&mut states));
            match select(pull.as_mut(), changed).await {
                Either::Left((Ok(done), _)) => {
                    progress(self.pulled());
                    return Ok(done);
                }
                Either::Left((Err(fault), _)) => return Err(self.fault().unwrap_or(fault)),
                Either::Right(((), _)) => match self.fault() {
                    Some(fault) => return Err(fault),
                    None => progress(self.pulled()),
                },
            }
        }
    }

    /// Ends it and removes what was spooled for it: the engine has the image.
    pub fn finish(self) -> Result<(), Fault> {
        let spool = Arc::clone(&self.spool);
        drop(self);
        spool.clear()
    }

    fn fault(&self) -> Option<Fault> {
        self.lease.blobs().iter().find_map(|blob| blob.fault())
    }
}

/// Waits until something happens to any of them.
async fn any_changed<T>(states: &mut [watch::Receiver<T>]) {
    if states.is_empty() {
        return futures::future::pending().await;
    }
    let changes: Vec<_> = states.iter_mut().map(|state| Box::pin(state.changed())).collect();
    // The senders live as long as the blobs, which live as long as the relay.
    drop(futures::future::select_all(changes).await);
}

/// The name of the image at the relay: a part that nobody can guess, then what people know it by, where that fits.
fn name(repository: &Repository) -> Result<String, Fault> {
    let mut secret = [0_u8; 16];
    OsRng
        .try_fill_bytes(&mut secret)
        .map_err(|error| Fault::new(Reason::Configuration, format!("the system gives no random bytes: {error}")))?;
    let secret = hex::encode(secret);
    let host: String = repository.registry().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let told = format!("{}/{}", host.trim_matches('-'), repository.path());
    let fits = "127.0.0.1:65535/".len() + secret.len() + 1 + told.len() <= NAME_MAX;
    Ok(if fits { format!("{secret}/{told}") } else { secret })
}

#[cfg(test)]
mod tests {
    use tidegate_domain::image::ImageRef;

    use super::*;

    #[test]
    fn a_name_is_one_that_engines_take() {
        let long = format!("ghcr.io/{}", "a".repeat(230));
        for (repository, told) in [
            ("nginx", "/docker-io/library/nginx"),
            ("localhost:5000/team/app", "/localhost-5000/team/app"),
            ("[::1]:5000/app", "/1--5000/app"),
            (long.as_str(), ""),
        ] {
            let name = name(&Repository::parse(repository).unwrap()).unwrap();
            assert_eq!(&name[32..], told, "{repository}");
            let reference = format!("127.0.0.1:65535/{name}@sha256:{}", "a".repeat(64));
            assert!(ImageRef::parse(&reference).is_ok(), "{reference}");
        }
        let (one, two) =
            (name(&Repository::parse("a").unwrap()).unwrap(), name(&Repository::parse("a").unwrap()).unwrap());
        assert_ne!(one, two);
    }
}
