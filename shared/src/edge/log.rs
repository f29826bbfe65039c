//! Logs, one line an event, to where Lambda collects them.

use std::env;

use tracing::level_filters::LevelFilter;

/// Starts logging, at the level and in the format that Lambda's logging configuration names.
///
/// The runtime crate's own `init_default_subscriber` does the same, and takes filters for single modules too: for those it
/// links a regular expression engine into each function.
pub fn init() {
    let lines = tracing_subscriber::fmt().with_target(false).without_time().with_max_level(level());
    if env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        lines.json().init();
    } else {
        lines.init();
    }
}

/// Never TRACE, at which the runtime crate would log whole events, and tokens with them. Lambda's FATAL is beyond what `tracing` has; everything else that is no level, as no level at all, is INFO.
fn level() -> LevelFilter {
    match env::var("AWS_LAMBDA_LOG_LEVEL").as_deref() {
        Ok("FATAL") => LevelFilter::ERROR,
        Ok(level) => level.parse().unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG),
        Err(_) => LevelFilter::INFO,
    }
}
