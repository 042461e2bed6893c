//! Takes an upload in at the speed of the network, whatever it is. Knows nothing of jobs or of the query.
//!
//! The one rule: a body is always read to its end, also when it will be refused. A connection closed with unread
//! bytes can reach the client as a reset, which costs Bazarr's user 24 hours (bazarr-protocol.md, section 6).

use super::error::Error;
use crate::spool::{self, Entry, Spool};
use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::{Stream, StreamExt};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// The part that every whisper-asr-webservice client sends.
const PART: &str = "audio_file";

/// Bytes that may wait for the disk, in all uploads together. The disk is faster than the network: this is for the
/// moments when it is not, so that the sockets go on being read.
const WAITING_BYTES: usize = 128 << 20;

/// How uploads are taken in; one for the whole server.
#[derive(Clone)]
pub struct Intake {
    spool: Arc<Spool>,
    waiting: Arc<Semaphore>,
    max_bytes: u64,
    seats: Arc<Semaphore>,
    max_uploads: usize,
}

/// An upload that is safely on disk.
#[derive(Debug)]
pub struct Received {
    pub entry: Entry,
    /// The name the sender gave the file, if it says anything.
    pub name: Option<String>,
}

impl Intake {
    pub fn new(spool: Arc<Spool>, max_bytes: u64, max_uploads: usize) -> Intake {
        let (waiting, seats) = (Semaphore::new(WAITING_BYTES), Semaphore::new(max_uploads));
        Intake { spool, waiting: Arc::new(waiting), max_bytes, seats: Arc::new(seats), max_uploads }
    }

    /// A place among the uploads taken in at once, which nobody waits for.
    fn seat(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.spool.room()?;
        self.seats.clone().try_acquire_owned().map_err(|_| Error::Busy { limit: self.max_uploads })
    }

    /// Reads the whole body and keeps its audio: the part `audio_file`, else the first part that is a file, else,
    /// when the body is no multipart, all of it. `raw` as in `Upload::finish`.
    ///
    /// Fails with 422 for an empty or a missing part, with 413 for a body over the limit, with 503 for one upload too
    /// many, with 507 without room; all but a cut connection after reading everything.
    pub async fn receive(&self, req: &HttpRequest, body: Payload, raw: bool) -> Result<Received, Error> {
        let source = Source::new(body);
        let _seat = match self.seat() {
            Ok(seat) => seat,
            Err(refused) => return source.drain().await.and(Err(refused)),
        };
        let taken = if req.content_type().starts_with("multipart/") {
            self.parts(req.headers(), source.clone()).await
        } else {
            self.whole(source.clone()).await
        };
        let rest = source.drain().await;
        let Taken { writer, name } = taken?;
        rest?;
        if writer.bytes == 0 {
            return Err(Error::field(PART, "it is empty: send the audio in this part of a multipart body"));
        }
        Ok(Received { entry: writer.finish(raw).await?, name })
    }

    /// Takes the parts of a multipart body.
    async fn parts(&self, headers: &HeaderMap, source: Source) -> Result<Taken, Error> {
        let mut parts = Multipart::new(headers, source);
        let mut best: Option<(bool, Taken)> = None;
        let mut sum = 0;
        while let Some(part) = parts.next().await {
            let mut part = part.map_err(broken)?;
            let (named, file) = (part.name() == Some(PART), file_name(&part));
            let better = match &best {
                None => named || file.is_some(),
                Some((best_is_named, _)) => named && !best_is_named,
            };
            let mut writer = if better { Some(self.writer()?) } else { None };
            while let Some(chunk) = part.next().await {
                let chunk = chunk.map_err(broken)?;
                self.count(&mut sum, &chunk)?;
                if let Some(writer) = &mut writer {
                    writer.write(chunk).await;
                }
            }
            if let Some(writer) = writer {
                let name = file.filter(|name| !name.is_empty() && name != PART);
                best = Some((named, Taken { writer, name }));
            }
        }
        let missing = || Error::field(PART, "the multipart body has no such part: send the audio in it");
        best.map(|(_, taken)| taken).ok_or_else(missing)
    }

    /// Takes a body that is the audio itself.
    async fn whole(&self, mut source: Source) -> Result<Taken, Error> {
        let mut writer = self.writer()?;
        let mut sum = 0;
        while let Some(chunk) = source.next().await {
            let chunk = chunk.map_err(cut_off)?;
            self.count(&mut sum, &chunk)?;
            writer.write(chunk).await;
        }
        Ok(Taken { writer, name: None })
    }

    fn count(&self, sum: &mut u64, chunk: &Bytes) -> Result<(), Error> {
        *sum += chunk.len() as u64;
        if *sum > self.max_bytes { Err(Error::TooLarge { limit_mb: self.max_bytes >> 20 }) } else { Ok(()) }
    }

    fn writer(&self) -> Result<Writer, Error> {
        let (to_disk, from_network) = mpsc::unbounded_channel();
        let (tell, done) = oneshot::channel();
        let spool = self.spool.clone();
        std::thread::Builder::new()
            .name("upload".into())
            .spawn(move || tell.send(write_down(&spool, from_network)))
            .map_err(|e| Error::Internal(format!("no thread can be started to store the upload: {e}")))?;
        Ok(Writer { to_disk, done, waiting: self.waiting.clone(), bytes: 0 })
    }
}

/// Reads the body to its end and forgets it.
pub async fn drain(body: Payload) -> Result<(), Error> {
    Source::new(body).drain().await
}

fn broken(e: actix_multipart::MultipartError) -> Error {
    use actix_multipart::MultipartError as Broken;
    match e {
        // Of its buffer: it looks for a line's end that does not come.
        Broken::Payload(PayloadError::Overflow) => {
            Error::field(PART, "the multipart body has no boundary where one has to be")
        }
        Broken::Payload(e) => cut_off(e),
        Broken::Incomplete => Error::field(PART, "the multipart body ends before its last boundary"),
        e => Error::field(PART, format_args!("the multipart body cannot be read: {e}")),
    }
}

fn cut_off(e: PayloadError) -> Error {
    Error::CutOff(e.to_string())
}

fn file_name(part: &Field) -> Option<String> {
    part.content_disposition()?.get_filename().map(str::to_string)
}

/// The body, shared: what is left after the multipart reader gave up can still be read.
#[derive(Clone)]
struct Source(Rc<RefCell<Option<Payload>>>);

impl Source {
    fn new(body: Payload) -> Source {
        Source(Rc::new(RefCell::new(Some(body))))
    }

    async fn drain(mut self) -> Result<(), Error> {
        while let Some(chunk) = self.next().await {
            chunk.map_err(cut_off)?;
        }
        Ok(())
    }
}

impl Stream for Source {
    type Item = Result<Bytes, PayloadError>;

    /// Never asks the payload again after its end or its error: it would wait for ever.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.borrow_mut();
        let Some(payload) = body.as_mut() else { return Poll::Ready(None) };
        let item = ready!(Pin::new(payload).poll_next(cx));
        if !matches!(item, Some(Ok(_))) {
            *body = None;
        }
        Poll::Ready(item)
    }
}

/// An upload that was read and is still on its way to the disk.
struct Taken {
    writer: Writer,
    name: Option<String>,
}

/// What the network hands to the disk.
enum Piece {
    Chunk(Bytes, OwnedSemaphorePermit),
    /// The upload is whole; without it the sender was cut off and nothing is kept.
    End {
        raw: bool,
    },
}

/// An upload on its way to the disk, hashed and written by a thread that no socket waits for.
struct Writer {
    to_disk: mpsc::UnboundedSender<Piece>,
    done: oneshot::Receiver<spool::Result<Option<Entry>>>,
    waiting: Arc<Semaphore>,
    bytes: u64,
}

impl Writer {
    async fn write(&mut self, chunk: Bytes) {
        self.bytes += chunk.len() as u64;
        let bytes = u32::try_from(chunk.len().min(WAITING_BYTES)).unwrap_or(u32::MAX);
        // The semaphore is never closed. A thread that has failed takes nothing more: `finish` says why.
        if let Ok(permit) = self.waiting.clone().acquire_many_owned(bytes).await {
            let _ = self.to_disk.send(Piece::Chunk(chunk, permit));
        }
    }

    async fn finish(self, raw: bool) -> Result<Entry, Error> {
        let _ = self.to_disk.send(Piece::End { raw });
        let died = || Error::Internal("the thread that stored the upload has died".into());
        self.done.await.map_err(|_| died())??.ok_or_else(died)
    }
}

/// The thread's side: gives nothing when the upload was cut off. What was written is then gone too.
fn write_down(spool: &Spool, mut pieces: mpsc::UnboundedReceiver<Piece>) -> spool::Result<Option<Entry>> {
    let mut upload = spool.begin()?;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Chunk(chunk, _permit) => upload.write(&chunk)?,
            Piece::End { raw } => return upload.finish(raw).map(Some),
        }
    }
    Ok(None)
}
