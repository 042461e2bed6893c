//! transcriptord: a Bazarr-compatible subtitle provider daemon. ARCHITECTURE.md draws the floors.

pub mod audio;
pub mod bazarr;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dedup;
pub mod device;
pub mod engine;
pub mod handover;
pub mod housekeeping;
pub mod http;
pub mod job;
pub mod language;
pub mod library;
pub mod model;
pub mod notify;
pub mod pool;
pub mod push;
pub mod queue;
pub mod serve;
pub mod spool;
pub mod store;
pub mod subtitle;
pub mod title;
