//! The domain of Motionboard, in three rooms that import only downwards:
//!
//! - [`edge`]: what every Lambda needs: envelopes, settings, logs. Only this room knows HTTP statuses.
//! - [`service`]: one module for each thing outside: MongoDB, S3, Step Functions, the management API, the vendors.
//! - [`model`]: what is true without any I/O.

pub mod edge;
pub mod model;
pub mod service;
