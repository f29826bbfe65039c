//! One process of a function, and all of them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::error::FunctionError;
use super::journal::Journal;
use super::pool::Pool;
use super::sandbox::Sandbox;
use crate::faults::{Fault, Faults};
use crate::process::Spawner;
use crate::sync::lock;

/// A process that nobody needed for so long is ended, as Lambda does.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// An event on its way to a process.
pub struct Delivery {
    pub request_id: String,
    pub trace_id: String,
    pub payload: Bytes,
    /// Dropped without a word if the process ends before it has fetched the event.
    pub started: oneshot::Sender<Instant>,
    pub answer: oneshot::Sender<Result<Bytes, FunctionError>>,
    /// Held until the process asks for the next event: before that it cannot serve anybody else.
    pub permit: OwnedSemaphorePermit,
}

/// What the process is told about the event; the rest of a [`Delivery`] waits for the answer.
pub struct Event {
    pub request_id: String,
    pub trace_id: String,
    pub deadline_ms: u128,
    pub payload: Bytes,
}

enum Inbox {
    /// A new process, whose first event is on its way: it is nobody else's, even if it asks before that comes.
    Promised,
    Empty,
    Full(Delivery),
    /// The process has ended.
    Closed,
}

/// An event that the process has and hasn't answered.
struct Running {
    request_id: String,
    answer: oneshot::Sender<Result<Bytes, FunctionError>>,
}

/// One process.
pub struct Worker {
    pub id: String,
    pub pool: Arc<Pool>,
    pub journal: Arc<Journal>,
    pub sandbox: Sandbox,
    inbox: Mutex<Inbox>,
    filled: Notify,
    running: Mutex<Option<Running>>,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    init_error: Mutex<Option<FunctionError>>,
    is_ending: AtomicBool,
    end: Notify,
    exited: watch::Sender<Option<ExitStatus>>,
}

impl Worker {
    /// Puts an event into the inbox, or gives it back if the process has ended.
    pub fn deliver(&self, delivery: Delivery) -> Result<(), Delivery> {
        let mut inbox = lock(&self.inbox);
        if matches!(*inbox, Inbox::Closed) {
            return Err(delivery);
        }
        *inbox = Inbox::Full(delivery);
        self.filled.notify_one();
        Ok(())
    }

    /// `/runtime/invocation/next`, from the process's local port `port`: it is ready for an event, and frozen until there is
    /// one.
    pub async fn next(self: &Arc<Self>, port: u16) -> Event {
        if self.is_ending.load(Ordering::Acquire) {
            // It dies at any moment, and is not to take an event with it.
            return std::future::pending().await;
        }
        if matches!(*lock(&self.inbox), Inbox::Empty) {
            self.pool.rest(Arc::clone(self));
        }
        // Only now: who waits for a permit shall find this process at rest.
        lock(&self.permit).take();
        if let Some(event) = self.take() {
            return event;
        }
        self.sandbox.freeze();
        loop {
            if let Some(event) = self.take() {
                let faults = self.pool.faults();
                if faults.draw(Fault::CutSockets, Duration::ZERO).is_some()
                    && self.sandbox.cut_sockets(port) > 0
                {
                    faults.note(Fault::CutSockets, self.pool.name());
                }
                self.sandbox.thaw();
                return event;
            }
            if timeout(IDLE_LIMIT, self.filled.notified()).await.is_err() && self.pool.forget(self) {
                self.end();
            }
        }
    }

    fn take(&self) -> Option<Event> {
        let mut inbox = lock(&self.inbox);
        let delivery = match std::mem::replace(&mut *inbox, Inbox::Empty) {
            Inbox::Full(delivery) => delivery,
            other => {
                *inbox = other;
                return None;
            }
        };
        let deadline = SystemTime::now() + self.pool.timeout();
        let event = Event {
            request_id: delivery.request_id.clone(),
            trace_id: delivery.trace_id,
            deadline_ms: deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
            payload: delivery.payload,
        };
        *lock(&self.running) = Some(Running { request_id: delivery.request_id, answer: delivery.answer });
        *lock(&self.permit) = Some(delivery.permit);
        let _ = delivery.started.send(Instant::now());
        Some(event)
    }

    /// Whether it has an event that it hasn't answered.
    pub fn is_running(&self) -> bool {
        lock(&self.running).is_some()
    }

    /// The answer to an event; `false` if the process doesn't have that event.
    pub fn answer(&self, request_id: &str, answer: Result<Bytes, FunctionError>) -> bool {
        let mut running = lock(&self.running);
        if running.as_ref().is_none_or(|running| running.request_id != request_id) {
            return false;
        }
        if let Some(running) = running.take() {
            // What took too much between two looks at it did not get away with it.
            let answer = self.pool.end_if_out_of_memory(self, request_id).map_or(answer, Err);
            let _ = running.answer.send(answer);
        }
        true
    }

    /// `/runtime/init/error`: the process cannot start. It will end.
    pub fn init_failed(&self, error: FunctionError) {
        *lock(&self.init_error) = Some(error);
        self.end();
    }

    /// What [`Worker::init_failed`] was told.
    pub fn init_error(&self) -> Option<FunctionError> {
        lock(&self.init_error).take()
    }

    /// Kills the process.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        self.end.notify_one();
    }

    /// Waits until the process is gone and says how it ended.
    pub async fn exit(&self) -> String {
        let mut exited = self.exited.subscribe();
        match exited.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(status)) => describe(*status),
            _ => "unknown".to_owned(),
        }
    }

    fn close(&self, status: ExitStatus) {
        self.sandbox.ended();
        *lock(&self.inbox) = Inbox::Closed;
        if let Some(running) = lock(&self.running).take() {
            let error = FunctionError::exited(&running.request_id, &describe(status));
            let _ = running.answer.send(Err(error));
        }
        lock(&self.permit).take();
        self.exited.send_replace(Some(status));
    }
}

/// How a process ended, in the words that Lambda has for it.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(libc::SIGKILL)) => "signal: killed".to_owned(),
        (None, Some(libc::SIGABRT)) => "signal: aborted".to_owned(),
        (None, Some(libc::SIGSEGV)) => "signal: segmentation fault".to_owned(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// All processes of all functions, as the Runtime API finds them.
pub struct Workers {
    listener: SocketAddr,
    spawner: Spawner,
    faults: Faults,
    all: Mutex<Option<HashMap<String, Arc<Worker>>>>,
}

impl Workers {
    pub fn new(listener: SocketAddr, spawner: Spawner, faults: Faults) -> Self {
        Self { listener, spawner, faults, all: Mutex::new(Some(HashMap::new())) }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        lock(&self.all).as_ref().map_or(0, HashMap::len)
    }

    /// Kills the processes of a function that are at an event; how many.
    pub fn kill(&self, function: &str) -> usize {
        let all = lock(&self.all);
        let busy = all.iter().flat_map(HashMap::values);
        let busy = busy.filter(|worker| worker.pool.name() == function && worker.is_running());
        busy.inspect(|worker| worker.end()).count()
    }

    pub fn get(&self, id: &str) -> Option<Arc<Worker>> {
        lock(&self.all).as_ref()?.get(id).cloned()
    }

    /// Starts a process of `pool`'s function, to which an event has to be delivered then.
    pub async fn start(
        self: &Arc<Self>,
        pool: &Arc<Pool>,
        binary: &Path,
        environment: &[(String, String)],
    ) -> io::Result<Arc<Worker>> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let (output, input) = io::pipe()?;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{}/rt/{id}", self.listener))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{id}"))
            .current_dir(pool.directory())
            .stdin(Stdio::null())
            .stdout(input.try_clone()?)
            .stderr(input);
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let (journal, read) = Journal::new(pool.name(), output);
        let worker = Arc::new(Worker {
            id: id.clone(),
            pool: Arc::clone(pool),
            journal,
            sandbox: Sandbox::default(),
            inbox: Mutex::new(Inbox::Promised),
            filled: Notify::new(),
            running: Mutex::new(None),
            permit: Mutex::new(None),
            init_error: Mutex::new(None),
            is_ending: AtomicBool::new(false),
            end: Notify::new(),
            exited: watch::Sender::new(None),
        });
        // Known before it runs: its first request may come at once.
        match lock(&self.all).as_mut() {
            Some(all) => all.insert(id, Arc::clone(&worker)),
            None => return Err(io::Error::other("the local stack is stopping")),
        };
        match self.spawner.spawn(command).await {
            Ok(child) => {
                worker.sandbox.started(child.id());
                tokio::spawn(read);
                tokio::spawn(Arc::clone(self).watch(Arc::clone(&worker), child));
                Ok(worker)
            }
            Err(error) => {
                self.remove(&worker);
                // `stop` may be waiting for it.
                worker.close(ExitStatus::default());
                Err(error)
            }
        }
    }

    async fn watch(self: Arc<Self>, worker: Arc<Worker>, mut child: Child) {
        let status = tokio::select! {
            biased;
            status = child.wait() => status,
            () = worker.end.notified() => {
                // It fails only if the process has just ended.
                let _ = child.start_kill();
                child.wait().await
            }
        };
        worker.pool.forget(&worker);
        self.remove(&worker);
        worker.close(status.unwrap_or_default());
    }

    fn remove(&self, worker: &Worker) {
        if let Some(all) = lock(&self.all).as_mut() {
            all.remove(&worker.id);
        }
    }

    /// Kills all processes, starts no more, and waits until they are gone.
    pub async fn stop(&self) {
        let all = lock(&self.all).take().unwrap_or_default();
        for worker in all.values() {
            worker.end();
        }
        for worker in all.values() {
            worker.exit().await;
        }
    }
}
