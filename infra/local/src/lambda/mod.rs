//! AWS Lambda on one machine: functions are the binaries that would be deployed, run as processes that fetch their events
//! from a Runtime API, one event per process at a time.

mod build;
mod environment;
mod error;
mod invoke_api;
mod journal;
mod pool;
mod report;
mod runtime_api;
mod sandbox;
mod trouble;
mod worker;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use bytes::Bytes;
use tokio::sync::oneshot;

pub use self::build::{Binaries, Profile};
pub use self::environment::{ACCESS_KEY_ID, Endpoints, SECRET_ACCESS_KEY};
pub use self::error::{FunctionError, InvokeError};
use self::pool::Pool;
pub use self::report::Report;
use self::worker::Workers;
use crate::faults::Faults;
use crate::process::Spawner;
use crate::template;

/// The most that a synchronous invocation takes: 6 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const REQUEST_LIMIT: usize = 6 * 1024 * 1024;
/// The most that a function may answer: Lambda allows a hundred bytes more than in the request.
const RESPONSE_LIMIT: usize = REQUEST_LIMIT + 100;

/// All functions of the template. Cheap to clone.
#[derive(Clone)]
pub struct Functions {
    pools: Arc<BTreeMap<String, Arc<Pool>>>,
    workers: Arc<Workers>,
}

impl Functions {
    /// Prepares the functions; a process is started when the first event needs it.
    /// `listener` is the address under which [`Functions::router`] is served.
    pub fn new(
        functions: &[template::Function],
        binaries: &Binaries,
        listener: SocketAddr,
        endpoints: &Endpoints,
        spawner: &Spawner,
        faults: &Faults,
    ) -> Result<Self> {
        let workers = Arc::new(Workers::new(listener, spawner.clone(), faults.clone()));
        let mut pools = BTreeMap::new();
        for function in functions {
            let binary = binaries.get(&function.binary);
            let binary = binary.with_context(|| format!("the binary {} was not built", function.binary))?;
            let environment = environment::of(function, endpoints);
            let pool = Pool::new(function.clone(), binary.to_owned(), environment, Arc::clone(&workers));
            pools.insert(function.name.clone(), Arc::new(pool));
        }
        Ok(Self { pools: Arc::new(pools), workers })
    }

    /// The Runtime API, for the processes, and the Invoke API, for everybody on this machine.
    pub fn router(&self) -> Router {
        runtime_api::router(Arc::clone(&self.workers)).merge(invoke_api::router(self.clone()))
    }

    /// Calls a function, by logical id, name or ARN, and waits for its answer. Goes on even if nobody waits any more.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        let (outcome, report) = self.call(function, payload).await;
        report.log_outcome("invoke", &outcome);
        outcome
    }

    /// Like [`Functions::invoke`], for callers who log the call in their own words: they must call [`Report::log`].
    pub async fn call(&self, function: &str, payload: Bytes) -> (Result<Bytes, InvokeError>, Report) {
        let Some(pool) = self.pool(function) else {
            return (Err(InvokeError::NotFound(function.to_owned())), Report::not_started(function));
        };
        let (pool, (sender, receiver)) = (Arc::clone(pool), oneshot::channel());
        let name = pool.name().to_owned();
        // A task of its own, because Lambda doesn't stop a function whose caller went away.
        tokio::spawn(async move {
            if let Err((outcome, report)) = sender.send(pool.invoke_in_trouble(payload).await) {
                report.log_outcome("(nobody waited)", &outcome);
            }
        });
        receiver.await.unwrap_or_else(|_| (Err(InvokeError::Stopped), Report::not_started(&name)))
    }

    fn pool(&self, function: &str) -> Option<&Arc<Pool>> {
        // arn:aws:lambda:REGION:ACCOUNT:function:NAME
        let name = function.rsplit_once(":function:").map_or(function, |(_, name)| name);
        self.pools.get(name)
    }

    /// Kills the processes of a function that are at an event, as the cloud may at any line; how many there were.
    pub fn kill(&self, function: &str) -> usize {
        self.workers.kill(function)
    }

    /// Kills all processes and waits until they are gone. What is called afterwards fails.
    pub async fn stop(&self) {
        self.workers.stop().await;
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
