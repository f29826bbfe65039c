//! The executions of all state machines. They live in memory: the end of the stack is their end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::api;
use super::definition::StateMachine;
use super::interpreter::{Invoke, Position, Step, TaskError};

/// State machines by their ARNs, and what they are doing. Clones share everything.
#[derive(Clone)]
pub struct Machines(Arc<Inner>);

struct Inner {
    machines: BTreeMap<String, Arc<StateMachine>>,
    invoke: Invoke,
    /// In the order in which they began.
    executions: Mutex<Vec<Execution>>,
}

/// One execution, running or ended.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    pub arn: String,
    pub machine_arn: String,
    pub name: String,
    pub input: Value,
    pub started: Timestamp,
    pub end: Option<(Timestamp, Outcome)>,
    task: AbortHandle,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
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
}

impl Machines {
    /// Takes machines by ARN. `invoke` calls a function (name or ARN as in the definition, payload) and gives its
    /// answer, or the error as a task of Step Functions sees it: the function's own error type, or `Lambda.…`.
    pub fn new<F, Answer>(machines: BTreeMap<String, StateMachine>, invoke: F) -> Self
    where
        F: Fn(String, Value) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Value, TaskError>> + Send + 'static,
    {
        let machines = machines.into_iter().map(|(arn, machine)| (arn, Arc::new(machine))).collect();
        let invoke: Invoke = Arc::new(move |function, payload| Box::pin(invoke(function, payload)));
        Self(Arc::new(Inner { machines, invoke, executions: Mutex::default() }))
    }

    /// The API of Step Functions, at `POST /`.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// Ends all executions where they are, without a trace in their outcome.
    pub fn shutdown(&self) {
        for execution in self.executions().iter() {
            execution.task.abort();
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
        let running = self.clone().run(arn.clone(), Arc::clone(machine), position);
        let execution = Execution {
            arn,
            machine_arn: machine_arn.to_owned(),
            name: name.to_owned(),
            input,
            started: Timestamp::now(),
            end: None,
            task: tokio::spawn(running).abort_handle(),
        };
        info!(execution = name, "{} started", machine_name(machine_arn));
        executions.push(execution.clone());
        Ok(execution)
    }

    async fn run(self, arn: String, machine: Arc<StateMachine>, mut position: Position) {
        let began = Instant::now();
        let end = loop {
            // This is where a position would be stored, so that another process can go on from it.
            match position.step(&machine, &self.0.invoke).await {
                Step::To(next) => position = next,
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
        execution.task.abort();
        if execution.end.is_none() {
            info!(execution = execution.name, "{} stopped", machine_name(&execution.machine_arn));
        }
        self.end(arn, Outcome::Aborted(reason));
        self.find(arn)?.end.map(|(time, _)| time)
    }

    /// An end is final: whichever comes first counts.
    fn end(&self, arn: &str, outcome: Outcome) {
        let mut executions = self.executions();
        let found = executions.iter_mut().find(|execution| execution.arn == arn);
        if let Some(execution) = found.filter(|execution| execution.end.is_none()) {
            execution.end = Some((Timestamp::now(), outcome));
        }
    }

    pub(super) fn find(&self, arn: &str) -> Option<Execution> {
        self.executions().iter().find(|execution| execution.arn == arn).cloned()
    }

    pub(super) fn knows(&self, machine_arn: &str) -> bool {
        self.0.machines.contains_key(machine_arn)
    }

    pub(super) fn executions(&self) -> MutexGuard<'_, Vec<Execution>> {
        // Nothing in here can panic half-way through a change.
        self.0.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn machine_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}
