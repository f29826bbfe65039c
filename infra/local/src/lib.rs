//! The cloud on a laptop: reads `template.yaml` and runs what it says.

pub mod mongod;
pub mod s3;
pub mod schedule;
pub mod simulation;
pub mod states;
