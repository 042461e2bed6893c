//! The pool: one process (or, for tests, one set of threads) a device, its workers, and `serve`'s view of them.
//! Knows nothing of HTTP.
//!
//! `children` is the side of `serve`; `device` the side of the process; between them go `hints`.

pub mod admission;
mod alone;
pub mod board;
pub mod builds;
pub mod children;
pub mod device;
mod dispatch;
mod echo;
pub mod finish;
pub mod forms;
mod guard;
mod hear;
pub mod hints;
mod islands;
mod label;
mod lone;
mod looked;
pub mod memory;
mod open;
pub mod progress;
mod prompt;
mod prove;
pub mod reader;
pub mod residents;
pub mod seat;
pub mod setup;
mod source;
pub mod status;
mod tongues;
mod unheard;
pub mod weights;
mod words;
mod worker;
