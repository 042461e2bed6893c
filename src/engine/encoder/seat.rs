//! Our encoder in the seat that whisper.cpp keeps for an encoder from outside. Knows nothing of what it computes.
//!
//! whisper.cpp calls three C functions when it is built with `WHISPER_USE_COREML` (`.cargo/config.toml` does that): they
//! were made for Apple's Core ML and ask nothing of it. A state that gets a null pointer at its start uses
//! whisper.cpp's own encoder, and so does a build without that flag, in which nobody calls us.

use super::{Encoder, Error};
use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What belongs to one state of whisper.cpp.
struct Seat {
    encoder: Arc<Encoder>,
    /// What was encoded last, for this and later states of the same session.
    last: Arc<Mutex<Last>>,
}

/// What a session encoded last: a sound is often looked at again, for its language or with more beams.
#[derive(Default)]
pub(in crate::engine) struct Last {
    /// The hash of its spectrogram.
    sound: Option<blake3::Hash>,
    rows: Vec<f32>,
}

/// An encoder and what a session encoded last.
pub(in crate::engine) type Offer = (Arc<Encoder>, Arc<Mutex<Last>>);

thread_local! {
    /// The encoder of the states that this thread makes now.
    static OFFERED: RefCell<Option<Offer>> = const { RefCell::new(None) };
    /// The flag of the run that this thread is in; null without one.
    static STOP: Cell<*const AtomicBool> = const { Cell::new(std::ptr::null()) };
    /// Why an encoder's result in the run that this thread is in is none.
    static FAULT: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Runs `make`, which creates states: they get that encoder, or whisper.cpp's own with `None`.
pub(in crate::engine) fn offering<T>(offer: Option<Offer>, make: impl FnOnce() -> T) -> T {
    OFFERED.set(offer);
    let made = make();
    OFFERED.set(None);
    made
}

/// Runs `work`, in which an encoder ends early once `stop` is raised. Fails when an encoder did.
pub(in crate::engine) fn stoppable<T>(stop: &AtomicBool, work: impl FnOnce() -> T) -> Result<T, Error> {
    STOP.set(stop);
    FAULT.set(None);
    let done = work();
    STOP.set(std::ptr::null());
    FAULT.take().map_or(Ok(done), Err)
}

fn stopped() -> bool {
    let stop = STOP.get();
    // SAFETY: set by `stoppable` on this thread, for as long as the flag is borrowed.
    !stop.is_null() && unsafe { &*stop }.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn whisper_coreml_init(_: *const c_char) -> *mut std::ffi::c_void {
    match OFFERED.with_borrow(Clone::clone) {
        Some((encoder, last)) => Box::into_raw(Box::new(Seat { encoder, last })).cast(),
        None => null_mut(),
    }
}

/// # Safety
/// `seat` comes from `whisper_coreml_init` and is not used again.
#[unsafe(no_mangle)]
unsafe extern "C" fn whisper_coreml_free(seat: *mut std::ffi::c_void) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(seat.cast::<Seat>()) });
}

/// # Safety
/// `seat` comes from `whisper_coreml_init`; `mel` holds `frames * bands` numbers and
/// `out` has room for a row of the model's width for every second frame.
#[unsafe(no_mangle)]
unsafe extern "C" fn whisper_coreml_encode(
    seat: *const std::ffi::c_void,
    frames: i64,
    bands: i64,
    mel: *mut f32,
    out: *mut f32,
) {
    let (frames, bands) = (frames as usize, bands as usize);
    // SAFETY: as the caller promises.
    let (seat, mel, out) = unsafe {
        let seat = &*seat.cast::<Seat>();
        let rows = frames / 2 * seat.encoder.width;
        (seat, std::slice::from_raw_parts(mel, frames * bands), std::slice::from_raw_parts_mut(out, rows))
    };
    // A session's states run one at a time.
    let mut last = seat.last.lock().unwrap_or_else(PoisonError::into_inner);
    let sound = blake3::hash(bytemuck::cast_slice(mel));
    if last.sound == Some(sound) && last.rows.len() == out.len() {
        return out.copy_from_slice(&last.rows);
    }
    last.sound = None;
    if let Err(error) = seat.encoder.run(mel, frames, out, stopped) {
        // There is no way to tell whisper.cpp: it goes on with rows of nothing, and `stoppable` tells our caller.
        FAULT.set(Some(error));
        out.fill(0.0);
    } else if !stopped() {
        last.rows.clear();
        last.rows.extend_from_slice(out);
        last.sound = Some(sound);
    }
    give_back();
}

/// Hands what the encoder has freed to the system: the decoder needs as much, and a session never has both. Takes a
/// millisecond or two beside the half second of a run.
pub(in crate::engine) fn give_back() {
    // SAFETY: it touches free memory alone, under the allocator's own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
