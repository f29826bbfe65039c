//! What every Lambda needs: settings and the services made of them, logs, the REST envelope and its errors.

pub mod access;
pub mod addresses;
pub mod deadline;
pub mod log;
pub mod rest;
pub mod settings;
mod signatures;
pub mod tokens;
pub mod websocket;
