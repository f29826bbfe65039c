//! The domain of Motionboard, in three rooms that import only downwards:
//!
//! - [`edge`]: what every Lambda needs: envelopes, settings, logs, and who is let in. Only this room knows HTTP statuses.
//! - [`service`]: one module for each thing outside: MongoDB, S3, Step Functions, the management API, the vendors, the issuer of
//!   tokens.
//! - [`model`]: what is true without any I/O.

pub mod edge;
pub mod model;
pub mod service;
