//! What talks to the outside, a module for each thing there. Errors are this room's own; nobody above sees an SDK.

pub mod aws;
pub mod bucket;
pub mod chat;
pub mod connections;
pub mod database;
pub mod http;
pub mod images;
pub mod issuer;
pub mod metrics;
pub mod polling;
mod public_address;
pub mod push;
pub mod quotas;
pub mod secrets;
pub mod uploads;
pub mod video_source;
pub mod video_vendor;
pub mod videos;
pub mod workspaces;
