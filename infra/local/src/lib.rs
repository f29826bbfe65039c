//! The cloud on a laptop: reads `template.yaml` and runs what it says.
//!
//! [`stack`] puts the parts together. [`template`] knows what exists, [`lambda`] runs functions, `gateway` is how clients reach
//! them, and the other modules play the services that functions call. A part finds another by what it is given, never by a
//! global: many stacks run in one process.

pub mod args;
pub mod faults;
mod gateway;
pub mod lambda;
pub mod log;
pub mod mongod;
mod page;
mod parameters;
pub mod process;
mod reference;
pub mod s3;
pub mod schedule;
pub mod secrets;
mod server;
mod services;
pub mod simulation;
pub mod stack;
pub mod states;
mod sync;
pub mod template;
pub mod token;
