//! What every Lambda needs: settings and the services made of them, logs, the REST envelope and its errors.

pub mod deadline;
pub mod log;
pub mod rest;
pub mod settings;
pub mod websocket;
