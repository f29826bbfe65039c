//! What there is to say about one call, for the log.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;

use super::InvokeError;
use super::journal::Entry;
use crate::log;

/// One call of a function: how long it took, cold or warm, and what it wrote.
pub struct Report {
    function: String,
    took: Duration,
    /// How long a new process needed until it asked for the event; `None` for one that was there.
    init: Option<Duration>,
    journal: Option<Entry>,
    reason: Option<String>,
}

impl Report {
    pub(super) fn new(function: &str, took: Duration, init: Option<Duration>, journal: Entry) -> Self {
        Self { function: function.to_owned(), took, init, journal: Some(journal), reason: None }
    }

    pub(super) fn not_started(function: &str) -> Self {
        Self { function: function.to_owned(), took: Duration::ZERO, init: None, journal: None, reason: None }
    }

    /// Adds why the call failed.
    pub fn because(mut self, reason: impl Display) -> Self {
        self.reason = Some(reason.to_string());
        self
    }

    /// What the function wrote during the call, for callers who look at it themselves.
    pub async fn lines(self) -> Vec<String> {
        finish(self.journal).await
    }

    /// Logs a call whose caller has nothing to add.
    pub fn log_outcome(self, what: impl Display, outcome: &Result<Bytes, InvokeError>) {
        match outcome {
            Ok(_) => self.log(what, "ok"),
            Err(error) => self.because(error).log(what, "failed"),
        }
    }

    /// Writes the line of this call, and the function's own lines under it.
    pub fn log(self, what: impl Display, status: impl Display) {
        let (what, status) = (what.to_string(), status.to_string());
        // In the background: the answer need not wait until the last line was read from the pipe.
        tokio::spawn(async move {
            let called = self.journal.is_some();
            let lines = finish(self.journal).await;
            tracing::info!(
                target: log::CALL,
                what,
                status,
                function = self.function,
                ms = self.took.as_secs_f64() * 1000.0,
                cold_ms = self.init.map(|init| init.as_secs_f64() * 1000.0),
                called,
                reason = self.reason,
                lines = lines.join("\n"),
            );
        });
    }
}

async fn finish(journal: Option<Entry>) -> Vec<String> {
    match journal {
        Some(journal) => journal.finish().await,
        None => Vec::new(),
    }
}
