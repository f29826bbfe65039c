//! The cloud on a laptop: reads `template.yaml` and runs what it says.

pub mod lambda;
pub mod log;
pub mod process;
mod sync;
pub mod template;
