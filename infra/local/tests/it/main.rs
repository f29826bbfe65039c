//! The board through its front door: the real function binaries behind the local stack, over HTTP and WebSockets, with a
//! real MongoDB and a real S3 protocol. A module for each part of the wire contract.

#![allow(clippy::unwrap_used)] // A test that cannot go on says so by a panic.

mod api;
mod board;
mod issuer;
mod member;
mod program;
mod slow_vendor;
mod socket;
mod studio;

mod bounds;
mod cancel;
mod chat_model;
mod connections;
mod deaths;
mod documents;
mod environment;
mod events;
mod faults;
mod generation;
mod hostile;
mod images;
mod leaks;
mod observation;
mod owners;
mod page;
mod process;
mod rest;
mod secrets;
mod suggestions;
mod tokens;
mod uploads;
mod vendors;
mod videos;
mod workspace_frames;
mod workspace_order;
mod workspace_sync;
