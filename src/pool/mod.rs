//! The pool: one process (or, for tests, one set of threads) a device, its workers, and `serve`'s view of them.
//! Knows nothing of HTTP.
//!
//! `children` is the side of `serve`; `device` the side of the process; between them go `hints`.

pub mod admission;
pub mod board;
pub mod children;
pub mod device;
mod dispatch;
pub mod finish;
pub mod forms;
mod guard;
mod hear;
pub mod hints;
mod label;
pub mod memory;
mod open;
pub mod progress;
mod prove;
pub mod reader;
pub mod residents;
pub mod seat;
pub mod setup;
mod source;
pub mod status;
mod unheard;
pub mod weights;
mod words;
mod worker;
