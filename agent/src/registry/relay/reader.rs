//! Reads a blob while it is being fetched.

use std::io;
use std::sync::Arc;

use futures::stream::{Stream, unfold};
use hyper::body::{Bytes, Frame};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::{mpsc, watch};

use crate::registry::spool::{Blob, Phase, State};

/// Bytes that are passed on at once.
const PIECE: u64 = 64 * 1024;

/// The bytes `from..to` of a blob, as they come. Has it fetched where nobody does. The last byte is held back until
/// the digest is known to be right, so that nobody gets the whole of a wrong blob.
pub(super) fn stream(
    blob: Arc<Blob>,
    from: u64,
    to: u64,
    wanted: mpsc::UnboundedSender<Arc<Blob>>,
) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    let state = blob.follow();
    let reader = Reader { blob, state, wanted, file: None, at: from, to };
    unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(piece)) => Some((Ok(Frame::data(piece)), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Reader {
    blob: Arc<Blob>,
    state: watch::Receiver<State>,
    wanted: mpsc::UnboundedSender<Arc<Blob>>,
    file: Option<File>,
    at: u64,
    to: u64,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let state = self.state.borrow_and_update().clone();
            let whole = state.phase == Phase::Whole;
            if self.at == self.to && (whole || self.to < self.blob.size) {
                return Ok(None);
            }
            let ready = if whole { self.blob.size } else { state.here.min(self.blob.size.saturating_sub(1)) };
            if self.at < ready.min(self.to) {
                let piece = self.read(ready.min(self.to)).await?;
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
            }
            match state.phase {
                Phase::Fetching => {}
                // Nobody listens any more only where the relay ends, and this with it.
                Phase::Idle => self.wanted.send(Arc::clone(&self.blob)).map_err(io::Error::other)?,
                Phase::Failed(fault) => return Err(io::Error::other(fault)),
                Phase::Whole => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            self.state.changed().await.map_err(io::Error::other)?;
        }
    }

    /// What is in the file up to here, at most a piece; nothing where it was cut meanwhile.
    async fn read(&mut self, until: u64) -> io::Result<Bytes> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.blob.path).await?),
        };
        file.seek(io::SeekFrom::Start(self.at)).await?;
        let mut piece = vec![0; (until - self.at).min(PIECE) as usize];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        self.at += read as u64;
        Ok(Bytes::from(piece))
    }
}
