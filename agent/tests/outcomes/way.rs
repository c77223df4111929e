//! A way to a server that can be cut and mended, and that says what passed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The way. It is gone with its owner.
pub(super) struct Way {
    host: String,
    road: Arc<Road>,
    _serving: JoinSet<()>,
}

struct Road {
    to: String,
    open: watch::Sender<bool>,
    /// Bytes that came back, ever.
    back: AtomicU64,
    /// Connections that came while it was cut.
    refused: AtomicUsize,
}

impl Way {
    pub(super) async fn to(to: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let (open, _) = watch::channel(true);
        let road = Arc::new(Road { to: to.to_owned(), open, back: AtomicU64::new(0), refused: AtomicUsize::new(0) });
        let mut serving = JoinSet::new();
        let served = Arc::clone(&road);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let road = Arc::clone(&served);
                connections.spawn(async move { road.take(stream).await });
            }
        });
        Ok(Self { host, road, _serving: serving })
    }

    /// Host and port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Bytes that came back so far.
    pub(super) fn back(&self) -> u64 {
        self.road.back.load(Ordering::SeqCst)
    }

    /// Connections that came in vain so far.
    pub(super) fn refused(&self) -> usize {
        self.road.refused.load(Ordering::SeqCst)
    }

    /// Ends every connection, and passes no other.
    pub(super) fn cut(&self) {
        self.road.open.send_replace(false);
    }

    /// Makes it whole.
    pub(super) fn mend(&self) {
        self.road.open.send_replace(true);
    }
}

impl Road {
    async fn take(&self, near: TcpStream) {
        let mut open = self.open.subscribe();
        if !*open.borrow_and_update() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
        tokio::select! {
            // However it ends, both sides see it end.
            _ = self.pass(near) => {}
            _ = open.wait_for(|open| !open) => {}
        }
    }

    async fn pass(&self, mut near: TcpStream) -> io::Result<()> {
        let mut far = TcpStream::connect(&self.to).await?;
        let (mut near_in, mut near_out) = near.split();
        let (mut far_in, mut far_out) = far.split();
        let there = async {
            tokio::io::copy(&mut near_in, &mut far_out).await?;
            // The answer may still be on its way.
            std::future::pending().await
        };
        let back = async {
            let mut piece = vec![0; 16 * 1024];
            loop {
                let read = far_in.read(&mut piece).await?;
                if read == 0 {
                    return Ok(());
                }
                near_out.write_all(&piece[..read]).await?;
                self.back.fetch_add(read as u64, Ordering::SeqCst);
            }
        };
        tokio::select! {
            ended = there => ended,
            ended = back => ended,
        }
    }
}
