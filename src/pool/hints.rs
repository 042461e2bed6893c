//! Hints between `serve` and a device's process: frames over a socket pair. Knows nothing of what is done with them.
//!
//! Truth is in the database; a lost hint costs a slow poll. The closing of the pair tells each side that the
//! other is gone. A frame is a length (u32, little-endian) and that many bytes of JSON.

use super::setup::Setup;
use super::status::WorkerStatus;
use crate::job::JobId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// From `serve` to the device's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// The first frame to a process: what it works with.
    Begin(Box<Setup>),
    /// A job was added or has another place, or the queue goes on.
    Added,
    Cancelled(JobId),
    /// End in good order: release the jobs with their checkpoints.
    Stop,
}

/// From the device's process to `serve`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The job has moved: stage, progress, end.
    Changed(JobId),
    Workers(Vec<WorkerStatus>),
    /// Ends by itself, with nothing open: `idle`, or because it was told to.
    Bye,
}

/// Longer frames are a fault of the other side.
const LONGEST: u32 = 4 << 20;

/// Writes one frame.
pub fn send<T: Serialize>(mut to: &UnixStream, frame: &T) -> io::Result<()> {
    let body = serde_json::to_vec(frame)?;
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend(body);
    to.write_all(&bytes)
}

/// Waits for the next frame; `None` when the other side is gone.
pub fn receive<T: DeserializeOwned>(mut from: &UnixStream) -> io::Result<Option<T>> {
    let mut length = [0u8; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof || e.kind() == io::ErrorKind::ConnectionReset => {
            return Ok(None);
        }
        other => other?,
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame of impossible length"));
    }
    let mut body = vec![0u8; length as usize];
    match from.read_exact(&mut body) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_and_the_end_is_told() {
        let (a, b) = UnixStream::pair().unwrap();
        let id = JobId::new();
        send(&a, &Report::Changed(id)).unwrap();
        send(&a, &Report::Bye).unwrap();
        drop(a);
        assert_eq!(receive::<Report>(&b).unwrap(), Some(Report::Changed(id)));
        assert_eq!(receive::<Report>(&b).unwrap(), Some(Report::Bye));
        assert_eq!(receive::<Report>(&b).unwrap(), None);
    }

    #[test]
    fn a_frame_cut_off_by_a_death_is_the_end() {
        let (a, b) = UnixStream::pair().unwrap();
        (&a).write_all(&[20, 0, 0, 0, b'"', b'B']).unwrap();
        drop(a);
        assert_eq!(receive::<Report>(&b).unwrap(), None);
    }
}
