//! What every Lambda needs: settings and the services made of them, logs, the REST envelope and its errors.

pub mod access;
pub mod addresses;
mod deadline;
pub mod function;
pub mod generations;
mod log;
pub mod reader;
pub mod rest;
mod secrets;
pub mod settings;
mod signatures;
pub mod tokens;
pub mod websocket;
