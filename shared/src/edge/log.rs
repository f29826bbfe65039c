//! Logs, one line an event, to where Lambda collects them.

/// Starts logging, as JSON where Lambda's logging configuration says so.
pub fn init() {
    lambda_runtime::tracing::init_default_subscriber();
}
