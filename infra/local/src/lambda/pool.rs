//! The processes of one function: who gets the next event.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::error::{FunctionError, InvokeError};
use super::journal::Entry;
use super::report::Report;
use super::worker::{Delivery, Worker, Workers};
use crate::faults::{Fault, Faults};
use crate::sync::lock;
use crate::template::Function;

/// The most processes of one function. A laptop can't run a thousand, so events beyond it wait for a process...
const PROCESSES: usize = 32;
/// ...until as many are under way as an AWS account runs by default. Then they are refused, as there.
const CONCURRENCY: usize = 1000;
/// Lambda gives a process so long to ask for its first event, and then the function's `Timeout` for a second try. Here one
/// try has the longer of the two: a laptop that starts many at once is slow without anything being wrong.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How often a process at work is asked for its memory.
const MEMORY_CHECK: Duration = Duration::from_millis(50);

/// One function with its processes.
pub struct Pool {
    function: Function,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    workers: Arc<Workers>,
    permits: Arc<Semaphore>,
    under_way: AtomicUsize,
    /// Processes that wait for an event; the most recently used is the last.
    resting: Mutex<Vec<Arc<Worker>>>,
    /// How many events have come, and the number of the last to come of those that were answered.
    pub(super) arrivals: AtomicU64,
    pub(super) answered: watch::Sender<u64>,
}

/// How one attempt went.
struct Attempt {
    outcome: Result<Bytes, InvokeError>,
    took: Duration,
    init: Option<Duration>,
    entry: Entry,
}

impl Pool {
    pub fn new(
        function: Function,
        binary: PathBuf,
        environment: Vec<(String, String)>,
        workers: Arc<Workers>,
    ) -> Self {
        let processes = function.reserved_concurrency.unwrap_or(PROCESSES).min(PROCESSES);
        let permits = Arc::new(Semaphore::new(processes));
        Self {
            function,
            binary,
            environment,
            workers,
            permits,
            under_way: AtomicUsize::new(0),
            resting: Mutex::default(),
            arrivals: AtomicU64::new(1),
            answered: watch::Sender::new(0),
        }
    }

    pub fn name(&self) -> &str {
        &self.function.name
    }

    pub fn arn(&self) -> &str {
        &self.function.arn
    }

    pub fn directory(&self) -> &Path {
        &self.function.directory
    }

    pub fn faults(&self) -> &Faults {
        self.workers.faults()
    }

    /// Ends the process if it has taken more than the function's `MemorySize`: the error of the event that it was at.
    pub fn end_if_out_of_memory(&self, worker: &Worker, request_id: &str) -> Option<FunctionError> {
        let limit = u64::from(self.function.memory_mb) * 1024 * 1024;
        worker.sandbox.peak_memory().filter(|peak| *peak > limit)?;
        worker.end();
        Some(FunctionError::out_of_memory(request_id))
    }

    pub fn timeout(&self) -> Duration {
        self.function.timeout
    }

    /// A process that waits for an event.
    pub fn rest(&self, worker: Arc<Worker>) {
        let mut resting = lock(&self.resting);
        // A process may ask again if its connection broke.
        if resting.iter().all(|other| other.id != worker.id) {
            resting.push(worker);
        }
    }

    #[cfg(test)]
    pub fn resting(&self) -> usize {
        lock(&self.resting).len()
    }

    /// Whether the process was at rest, from where it is taken.
    pub fn forget(&self, worker: &Worker) -> bool {
        let mut resting = lock(&self.resting);
        let before = resting.len();
        resting.retain(|other| other.id != worker.id);
        resting.len() < before
    }

    pub async fn invoke(self: &Arc<Self>, payload: Bytes) -> (Result<Bytes, InvokeError>, Report) {
        if payload.len() > super::REQUEST_LIMIT {
            return self.refused(InvokeError::PayloadTooLarge);
        }
        let Some(_place) = Place::take(self) else {
            return self.refused(InvokeError::Throttled(self.name().to_owned()));
        };
        loop {
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
                return self.refused(InvokeError::Stopped);
            };
            match self.attempt(payload.clone(), permit).await {
                Ok(Some(attempt)) => {
                    let report = Report::new(self.name(), attempt.took, attempt.init, attempt.entry);
                    return (attempt.outcome, report);
                }
                // The process had ended while it was at rest, and never saw the event.
                Ok(None) => {}
                Err(error) => return self.refused(error),
            }
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        payload: Bytes,
        permit: OwnedSemaphorePermit,
    ) -> Result<Option<Attempt>, InvokeError> {
        let begun = Instant::now();
        let rested = lock(&self.resting).pop();
        let is_cold = rested.is_none();
        let worker = match rested {
            Some(worker) => worker,
            None => self.workers.start(self, &self.binary, &self.environment).await.map_err(|error| {
                InvokeError::Service(format!("{} cannot be started: {error}", self.binary.display()))
            })?,
        };
        let entry = worker.journal.begin();
        let request_id = uuid::Uuid::new_v4().to_string();
        let (started, has_started) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let delivery = Delivery {
            request_id: request_id.clone(),
            trace_id: trace_id(),
            payload,
            started,
            answer,
            permit,
        };
        if worker.deliver(delivery).is_err() && !is_cold {
            return Ok(None);
        }

        let init_limit = self.function.timeout.max(INIT_LIMIT);
        let (outcome, took, init) = match timeout(init_limit, has_started).await {
            Ok(Ok(start)) => {
                let init = is_cold.then(|| start - begun);
                let outcome = self.watch(&worker, &request_id, answered).await;
                (outcome, start.elapsed(), init)
            }
            Ok(Err(_)) if !is_cold => return Ok(None),
            Ok(Err(_)) => {
                let how = worker.exit().await;
                let error = worker.init_error().unwrap_or_else(|| FunctionError::exited(&request_id, &how));
                (Err(error), begun.elapsed(), None)
            }
            Err(_) => {
                worker.end();
                (Err(FunctionError::timed_out(&request_id, init_limit.as_secs_f64())), begun.elapsed(), None)
            }
        };
        Ok(Some(Attempt { outcome: outcome.map_err(InvokeError::Function), took, init, entry }))
    }

    /// Waits for the answer of a process at work, which may take too long, or too much memory, or meet a fault.
    async fn watch(
        &self,
        worker: &Worker,
        request_id: &str,
        mut answered: oneshot::Receiver<Result<Bytes, FunctionError>>,
    ) -> Result<Bytes, FunctionError> {
        let limit = sleep(self.function.timeout);
        tokio::pin!(limit);
        let mut memory_checks = interval_at(Instant::now() + MEMORY_CHECK, MEMORY_CHECK);
        let death = self.time_of_death();
        let killed = sleep(death.unwrap_or_default());
        tokio::pin!(killed);
        let mut is_to_die = death.is_some();
        loop {
            tokio::select! {
                biased;
                outcome = &mut answered => {
                    return outcome.unwrap_or_else(|_| Err(FunctionError::exited(request_id, "unknown")));
                }
                () = &mut limit => {
                    worker.end();
                    return Err(FunctionError::timed_out(request_id, self.function.timeout.as_secs_f64()));
                }
                _ = memory_checks.tick() => {
                    if let Some(error) = self.end_if_out_of_memory(worker, request_id) {
                        return Err(error);
                    }
                }
                () = &mut killed, if is_to_die => {
                    // How it ended comes as the answer.
                    is_to_die = false;
                    self.faults().note(Fault::Kill, self.name());
                    worker.end();
                }
            }
        }
    }
}

/// One of the executions that may be under way at the same time.
struct Place<'a>(&'a Pool);

impl<'a> Place<'a> {
    fn take(pool: &'a Pool) -> Option<Self> {
        let limit = pool.function.reserved_concurrency.unwrap_or(CONCURRENCY);
        let place = Self(pool);
        // Dropping `place` gives it back if there was none.
        (pool.under_way.fetch_add(1, Ordering::Relaxed) < limit).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
fn trace_id() -> String {
    let (now, random) = (jiff::Timestamp::now().as_second(), uuid::Uuid::new_v4().simple().to_string());
    format!("Root=1-{now:08x}-{};Parent={};Sampled=0", &random[..24], &random[16..])
}
