//! Fetches a blob into its file: from where the file ends, at the pace that is allowed, until its digest is right.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256, Sha512};
use tidegate_domain::image::Digest;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::source::Source;
use super::spool::{Blob, Fetching, file_fault};
use super::throttle::Throttle;
use super::wire::{Patience, broken, host, unavailable};
use crate::fault::{Fault, Reason};

/// Tries in a row that get no further before a download is given up; the caller decides what then.
const TRIES: u32 = 3;
/// Bytes that are read from the file at once.
const PIECE: usize = 64 * 1024;

/// What all downloads of the device have to share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) throttle: Throttle,
    pub(super) turns: Semaphore,
}

/// Fetches the blob, unless somebody else does. Given up (by being dropped), it can be taken up again.
pub(super) async fn run(blob: Arc<Blob>, source: Arc<Source>, shared: Arc<Shared>) {
    let Some(fetching) = blob.begin() else { return };
    // Nobody closes it.
    let Ok(_turn) = shared.turns.acquire().await else { return };
    let result = fetch(&fetching, &source, &shared).await;
    if let Err(fault) = &result {
        tracing::debug!(blob = %blob.digest, reason = fault.reason.word(), "a download came to nothing: {fault}");
    }
    fetching.ended(result);
}

async fn fetch(fetching: &Fetching, source: &Source, shared: &Shared) -> Result<(), Fault> {
    let mut part = ServiceSwap::open(fetching).await?;
    let mut fresh = part.here == 0;
    let mut tries = 0;
    loop {
        let before = part.here;
        let outcome = part.advance(source, shared).await;
        match outcome {
            Ok(()) if part.is_right() => {
                return part.file.sync_data().await.map_err(|error| file_fault(&fetching.blob.path, &error));
            }
            // What was here before may have been damaged, which is nobody's fault but a power cut's.
            Ok(()) | Err(Broken::Wrong) => {
                part.restart().await?;
                if fresh {
                    let why = format!(
                        "the layer {} of {} does not have the digest that it should",
                        fetching.blob.digest,
                        source.repository()
                    );
                    return Err(Fault::new(Reason::CorruptImage, why));
                }
                fresh = true;
            }
            Err(Broken::Off(fault)) if fault.reason == Reason::RegistryUnavailable => {
                tries = if part.here > before { 0 } else { tries + 1 };
                if tries >= TRIES {
                    return Err(fault);
                }
                sleep(source.wire().patience.pause * 2_u32.pow(tries)).await;
            }
            Err(Broken::Off(fault)) => return Err(fault),
        }
    }
}

/// Why a try did not bring all.
enum Broken {
    /// It ended early.
    Off(Fault),
    /// What came is not this blob.
    Wrong,
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Off(fault)
    }
}

/// The file of a blob, and the hash of what is in it.
struct ServiceSwap<'f> {
    fetching: &'f Fetching,
    file: File,
    here: u64,
    hash: Hash,
}

impl<'f> ServiceSwap<'f> {
    /// Opens it, and reads what is there to hash it.
    async fn open(fetching: &'f Fetching) -> Result<Self, Fault> {
        let blob = &fetching.blob;
        let fault = |error| file_fault(&blob.path, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&blob.path).await.map_err(fault)?;
        let mut part_hash = Hash::of(&blob.digest);
        let mut here = 0;
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece).await.map_err(fault)?;
            if read == 0 {
                break;
            }
            part_hash.update(&piece[..read]);
            here += read as u64;
        }
        let mut part = Self { fetching, file, here, hash: part_hash };
        if here > blob.size {
            part.restart().await?;
        }
        fetching.is_here(part.here);
        Ok(part)
    }

    /// Fetches what is missing, or as much of it as comes.
    async fn advance(&mut self, source: &Source, shared: &Shared) -> Result<(), Broken> {
        let size = self.fetching.blob.size;
        if self.here == size {
            return Ok(());
        }
        let mut response = source.blob(&self.fetching.blob.digest, self.here).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(self.here) => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => return Err(Broken::Wrong),
            // It knows nothing of ranges.
            _ => self.restart().await?,
        }
        let host = host(response.url());
        let mut pace = Pace::new(source.wire().patience);
        while let Some(chunk) = pace.wait(&host, response.chunk()).await? {
            if self.here + chunk.len() as u64 > size {
                return Err(Broken::Wrong);
            }
            self.write(&chunk).await?;
            shared.throttle.pay(chunk.len()).await;
        }
        if self.here < size { Err(unavailable(&host, "broke off a download").into()) } else { Ok(()) }
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        let fault = |error| file_fault(&self.fetching.blob.path, &error);
        self.file.write_all(chunk).await.map_err(fault)?;
        // Those who follow read it from the file.
        self.file.flush().await.map_err(fault)?;
        self.hash.update(chunk);
        self.here += chunk.len() as u64;
        self.fetching.is_here(self.here);
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Fault> {
        let fault = |error| file_fault(&self.fetching.blob.path, &error);
        self.file.set_len(0).await.map_err(fault)?;
        self.file.rewind().await.map_err(fault)?;
        self.hash = Hash::of(&self.fetching.blob.digest);
        self.here = 0;
        self.fetching.is_here(0);
        Ok(())
    }

    fn is_right(&self) -> bool {
        self.here == self.fetching.blob.size && self.hash.clone().digest() == self.fetching.blob.digest.as_str()
    }
}

/// Where a part of a blob begins, as its registry says.
fn begins_at(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Ends what comes too slowly to be a network's doing.
struct Pace {
    patience: Patience,
    waited: Duration,
    came: u64,
}

impl Pace {
    fn new(patience: Patience) -> Self {
        Self { patience, waited: Duration::ZERO, came: 0 }
    }

    async fn wait<C: AsRef<[u8]>>(
        &mut self,
        host: &str,
        chunk: impl Future<Output = reqwest::Result<Option<C>>>,
    ) -> Result<Option<C>, Fault> {
        let began = Instant::now();
        let chunk = timeout(self.patience.silence, chunk)
            .await
            .map_err(|_| unavailable(host, "fell silent in the middle of a download"))?
            .map_err(|error| broken(host, error))?;
        self.waited += began.elapsed();
        self.came += chunk.as_ref().map_or(0, |chunk| chunk.as_ref().len() as u64);
        if self.came >= Patience::SLOWEST_BYTES {
            (self.waited, self.came) = (Duration::ZERO, 0);
        } else if self.waited > self.patience.slowest {
            return Err(unavailable(host, "sends next to nothing"));
        }
        Ok(chunk)
    }
}

#[derive(Clone)]
enum Hash {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hash {
    /// Of the kind that the digest is.
    fn of(digest: &Digest) -> Self {
        if digest.as_str().starts_with("sha512:") { Self::Sha512(Sha512::new()) } else { Self::Sha256(Sha256::new()) }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    fn digest(self) -> String {
        match self {
            Self::Sha256(hash) => format!("sha256:{}", hex::encode(hash.finalize())),
            Self::Sha512(hash) => format!("sha512:{}", hex::encode(hash.finalize())),
        }
    }
}
