//! The cloud on a laptop: reads `template.yaml` and runs what it says.

pub mod mongod;
pub mod s3;
pub mod simulation;
