//! The cloud on a laptop: reads `template.yaml` and runs what it says.
//!
//! [`stack`] puts the parts together. [`template`] knows what exists, [`lambda`] runs functions, `gateway` is how clients reach
//! them. A part finds another by what it is given, never by a global: many stacks run in one process.

pub mod args;
mod gateway;
pub mod lambda;
pub mod log;
pub mod process;
mod server;
pub mod stack;
mod sync;
pub mod template;
