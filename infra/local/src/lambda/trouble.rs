//! Invocations as the cloud has them on a bad day: refused, lost, late, twice, overtaken, or killed at some line.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::error::InvokeError;
use super::pool::Pool;
use super::report::Report;
use crate::faults::Fault;

const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// How long an event waits to be overtaken where no other comes.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Most events take less: so that a function dies before, between and after its writes.
const LATEST_DEATH: Duration = Duration::from_millis(10);

impl Pool {
    /// [`Pool::invoke`], unless a fault is in the way.
    pub async fn invoke_in_trouble(self: &Arc<Self>, payload: Bytes) -> (Result<Bytes, InvokeError>, Report) {
        let number = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let strikes = |fault| self.faults().strikes(fault, self.name());
        if strikes(Fault::Throttle) {
            return self.refused(InvokeError::Throttled(self.name().to_owned()));
        }
        if strikes(Fault::Drop) {
            return self.refused(InvokeError::Service("the event was lost on its way".to_owned()));
        }
        if let Some(delay) = self.faults().draw(Fault::Delay, LONGEST_DELAY) {
            self.faults().note(Fault::Delay, self.name());
            sleep(delay).await;
        }
        if strikes(Fault::Reorder) {
            let mut answered = self.answered.subscribe();
            let _ = timeout(LONGEST_WAIT, answered.wait_for(|newest| *newest > number)).await;
        }
        if strikes(Fault::Repeat) {
            let (pool, payload) = (Arc::clone(self), payload.clone());
            tokio::spawn(async move {
                let (outcome, report) = pool.invoke(payload).await;
                report.log_outcome("(the same event again)", &outcome);
            });
        }
        let outcome = self.invoke(payload).await;
        self.answered.send_modify(|newest| *newest = number.max(*newest));
        outcome
    }

    /// When a process that has just got an event will be killed, if it will.
    pub(super) fn time_of_death(&self) -> Option<Duration> {
        self.faults().draw(Fault::Kill, LATEST_DEATH)
    }

    pub(super) fn refused(&self, error: InvokeError) -> (Result<Bytes, InvokeError>, Report) {
        (Err(error), Report::not_started(self.name()))
    }
}
