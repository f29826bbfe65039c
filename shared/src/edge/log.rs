//! Logs, one line an event, to where Lambda collects them.

use std::env;

use tracing::level_filters::LevelFilter;

/// Starts logging, at the level and in the format that Lambda's logging configuration names.
///
/// The runtime crate's own `init_default_subscriber` does the same, and takes filters for single modules too: for those it
/// links a regular expression engine into each function.
pub fn init() {
    let asked_for = env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let lines = tracing_subscriber::fmt()
        .with_target(false)
        .without_time()
        .with_max_level(level(asked_for.as_deref()));
    if env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        lines.json().init();
    } else {
        lines.init();
    }
}

/// Never TRACE, at which the runtime crate would log whole events, and tokens with them. Lambda's FATAL is beyond what `tracing`
/// has; everything else that is no level, as no level at all, is INFO.
fn level(asked_for: Option<&str>) -> LevelFilter {
    match asked_for {
        Some("FATAL") => LevelFilter::ERROR,
        Some(level) => level.parse().unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG),
        None => LevelFilter::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_nothing_is_traced() {
        for (asked_for, expected) in [
            (None, LevelFilter::INFO),
            (Some("FATAL"), LevelFilter::ERROR),
            (Some("WARN"), LevelFilter::WARN),
            (Some("DEBUG"), LevelFilter::DEBUG),
            (Some("TRACE"), LevelFilter::DEBUG),
            (Some("x"), LevelFilter::INFO),
        ] {
            assert_eq!(level(asked_for), expected, "{asked_for:?}");
        }
    }
}
