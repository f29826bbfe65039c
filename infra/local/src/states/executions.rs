//! The executions of all state machines. Each step is stored before the next begins, so that they survive the stack.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::api;
use super::definition::StateMachine;
use super::interpreter::{Invoke, Position, Step, TaskError};
use super::millis;
use super::store::Store;
use crate::faults::Faults;

/// State machines by their ARNs, and what they are doing. Clones share everything.
#[derive(Clone)]
pub struct Machines(Arc<Inner>);

struct Inner {
    machines: BTreeMap<String, Arc<StateMachine>>,
    invoke: Invoke,
    store: Store,
    faults: Faults,
    /// In the order in which they began.
    executions: Mutex<Vec<Execution>>,
}

/// One execution, running or ended, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Execution {
    pub arn: String,
    pub machine_arn: String,
    pub name: String,
    pub input: Value,
    #[serde(with = "millis")]
    pub started: Timestamp,
    pub end: Option<End>,
    /// Where it stands, or stood last.
    position: Position,
    /// What runs it in this process.
    #[serde(skip)]
    task: Option<AbortHandle>,
}

/// When it ended, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct End(#[serde(with = "millis")] pub Timestamp, pub Outcome);

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Succeeded(Value),
    Failed(TaskError),
    Aborted(TaskError),
}

/// Why an execution was not begun.
#[derive(Debug)]
pub(super) enum NotStarted {
    NoSuchMachine,
    /// There is one with this name already, ended or with another input.
    Exists,
    /// It could not be stored.
    NotStored(io::Error),
}

impl Machines {
    /// Takes machines by ARN. `invoke` calls a function (name or ARN as in the definition, payload) and gives its
    /// answer, or the error as a task of Step Functions sees it: the function's own error type, or `Lambda.…`.
    ///
    /// What `directory` holds goes on where it was: a wait for the rest of its time, a task from its beginning.
    pub fn open<F, Answer>(
        directory: &Path,
        machines: BTreeMap<String, StateMachine>,
        faults: &Faults,
        invoke: F,
    ) -> anyhow::Result<Self>
    where
        F: Fn(String, Value) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Value, TaskError>> + Send + 'static,
    {
        let machines = machines.into_iter().map(|(arn, machine)| (arn, Arc::new(machine))).collect();
        let invoke: Invoke = Arc::new(move |function, payload| Box::pin(invoke(function, payload)));
        let (store, executions) = Store::open(directory)?;
        let executions = Mutex::new(executions);
        let machines = Self(Arc::new(Inner { machines, invoke, store, faults: faults.clone(), executions }));
        machines.resume();
        Ok(machines)
    }

    fn resume(&self) {
        for execution in self.executions().iter_mut().filter(|execution| execution.end.is_none()) {
            let Some(machine) = self.0.machines.get(&execution.machine_arn) else {
                warn!(execution = execution.name, "there is no {} any more", execution.machine_arn);
                continue;
            };
            info!(execution = execution.name, "{} goes on", machine_name(&execution.machine_arn));
            let position = execution.position.clone().resumed();
            let running = self.clone().run(execution.arn.clone(), Arc::clone(machine), position);
            execution.task = Some(tokio::spawn(running).abort_handle());
        }
    }

    /// The API of Step Functions, at `POST /`.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// Stops running executions, which go on when [`Machines::open`] finds them again.
    pub fn shutdown(&self) {
        for execution in self.executions().iter() {
            execution.abort();
        }
    }

    /// Begins an execution. The same name and input as one that still runs is that one.
    pub(super) fn start(&self, machine_arn: &str, name: &str, input: Value) -> Result<Execution, NotStarted> {
        let machine = self.0.machines.get(machine_arn).ok_or(NotStarted::NoSuchMachine)?;
        let arn = format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":execution:", 1));
        let mut executions = self.executions();
        if let Some(known) = executions.iter().find(|execution| execution.arn == arn) {
            return match known.end.is_none() && known.input == input {
                true => Ok(known.clone()),
                false => Err(NotStarted::Exists),
            };
        }
        let position = Position::start(machine, input.clone());
        // It can't end before it is in the list: that takes the lock.
        let running = self.clone().run(arn.clone(), Arc::clone(machine), position.clone());
        let mut execution = Execution {
            arn,
            machine_arn: machine_arn.to_owned(),
            name: name.to_owned(),
            input,
            started: Timestamp::now(),
            end: None,
            position,
            task: None,
        };
        self.save(&execution).map_err(NotStarted::NotStored)?;
        execution.task = Some(tokio::spawn(running).abort_handle());
        info!(execution = name, "{} started", machine_name(machine_arn));
        executions.push(execution.clone());
        Ok(execution)
    }

    async fn run(self, arn: String, machine: Arc<StateMachine>, mut position: Position) {
        let began = Instant::now();
        let end = loop {
            match position.step(&machine, &self.0.invoke).await {
                Step::To(next) => {
                    self.change(&arn, |execution| execution.position = next.clone());
                    position = next;
                }
                Step::End(end) => break end,
            }
        };
        let seconds = began.elapsed().as_secs_f32();
        let name = arn.rsplit(':').next().unwrap_or_default();
        let machine = machine_name(arn.rsplit_once(':').map_or("", |(machine, _)| machine));
        let outcome = match end {
            Ok(output) => {
                info!(execution = name, "{machine} succeeded after {seconds:.1} s");
                Outcome::Succeeded(output)
            }
            Err(error) => {
                let TaskError { error: kind, cause } = &error;
                warn!(execution = name, error = kind, "{machine} failed after {seconds:.1} s: {cause}");
                Outcome::Failed(error)
            }
        };
        self.end(&arn, outcome);
    }

    /// Ends a running execution from outside; the time of its end, old or new.
    pub(super) fn stop(&self, arn: &str, reason: TaskError) -> Option<Timestamp> {
        let execution = self.find(arn)?;
        execution.abort();
        if execution.end.is_none() {
            info!(execution = execution.name, "{} stopped", machine_name(&execution.machine_arn));
        }
        self.end(arn, Outcome::Aborted(reason));
        self.find(arn)?.end.map(|End(time, _)| time)
    }

    /// An end is final: whichever comes first counts.
    fn end(&self, arn: &str, outcome: Outcome) {
        self.change(arn, |execution| execution.end = Some(End(Timestamp::now(), outcome)));
    }

    /// Changes an execution that has not ended.
    fn change(&self, arn: &str, change: impl FnOnce(&mut Execution)) {
        let mut executions = self.executions();
        let found = executions.iter_mut().find(|execution| execution.arn == arn);
        if let Some(execution) = found.filter(|execution| execution.end.is_none()) {
            change(execution);
            if let Err(error) = self.save(execution) {
                // After a restart it would go on from an earlier state, each of which is safe to repeat.
                warn!(execution = execution.name, "the execution cannot be stored: {error}");
            }
        }
    }

    fn save(&self, execution: &Execution) -> io::Result<()> {
        self.0.faults.room(&execution.name)?;
        self.0.store.save(execution)
    }

    pub(super) fn find(&self, arn: &str) -> Option<Execution> {
        self.executions().iter().find(|execution| execution.arn == arn).cloned()
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub(super) fn knows(&self, machine_arn: &str) -> bool {
        self.0.machines.contains_key(machine_arn)
    }

    pub(super) fn executions(&self) -> MutexGuard<'_, Vec<Execution>> {
        // Nothing in here can panic half-way through a change.
        self.0.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Execution {
    fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn machine_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}
