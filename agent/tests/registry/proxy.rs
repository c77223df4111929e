//! A way to a registry that counts what comes back on it, and that can break.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The way. It is gone with the test.
pub(crate) struct Proxy {
    host: String,
    road: Arc<Road>,
    _serving: JoinSet<()>,
}

struct Road {
    to: String,
    /// Bytes that came back, ever.
    back: AtomicU64,
    /// Bytes after which every connection breaks; one that begins later passes nothing.
    breaks_at: AtomicU64,
    /// Whether it breaks only once.
    mends: AtomicBool,
}

impl Proxy {
    pub(crate) async fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let road = Arc::new(Road {
            to: to.to_owned(),
            back: AtomicU64::new(0),
            breaks_at: AtomicU64::new(u64::MAX),
            mends: AtomicBool::new(false),
        });
        let mut serving = JoinSet::new();
        let served = Arc::clone(&road);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let road = Arc::clone(&served);
                connections.spawn(async move { drop(road.pass(stream).await) });
            }
        });
        Self { host, road, _serving: serving }
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Bytes that came back so far.
    pub(crate) fn back(&self) -> u64 {
        self.road.back.load(Ordering::SeqCst)
    }

    /// Breaks for good after so many more bytes.
    pub(crate) fn break_after(&self, bytes: u64) {
        self.road.breaks_at.store(self.back() + bytes, Ordering::SeqCst);
    }

    /// Breaks after so many more bytes, once.
    pub(crate) fn break_once_after(&self, bytes: u64) {
        self.road.mends.store(true, Ordering::SeqCst);
        self.break_after(bytes);
    }

    /// Makes it whole.
    pub(crate) fn mend(&self) {
        self.road.breaks_at.store(u64::MAX, Ordering::SeqCst);
    }
}

impl Road {
    async fn pass(&self, mut near: TcpStream) -> io::Result<()> {
        let mut far = TcpStream::connect(&self.to).await?;
        let (mut near_in, mut near_out) = near.split();
        let (mut far_in, mut far_out) = far.split();
        let there = tokio::io::copy(&mut near_in, &mut far_out);
        let back = async {
            let mut piece = vec![0; 16 * 1024];
            loop {
                let read = far_in.read(&mut piece).await?;
                let breaks_at = self.breaks_at.load(Ordering::SeqCst);
                let room = breaks_at.saturating_sub(self.back.load(Ordering::SeqCst));
                let passed = read.min(usize::try_from(room).unwrap_or(usize::MAX));
                near_out.write_all(&piece[..passed]).await?;
                self.back.fetch_add(passed as u64, Ordering::SeqCst);
                if passed < read {
                    if self.mends.swap(false, Ordering::SeqCst) {
                        self.breaks_at.store(u64::MAX, Ordering::SeqCst);
                    }
                    return Ok(());
                }
                if read == 0 {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            ended = back => ended,
            ended = async { there.await?; std::future::pending().await } => ended,
        }
    }
}
