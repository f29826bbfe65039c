//! Who looks at the board from outside, once all is quiet: what it finds wrong goes into the journal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use local::faults::Fault;
use local::stack::Stack;
use mongodb::bson::{Document, doc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::Client;
use crate::journal::Journal;
use crate::verdict;
use crate::wire::Wire;

/// How long a push may take to show.
const PUSH_LIMIT: Duration = Duration::from_secs(10);
/// How long what goes on by itself may take to end.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The longest of what the sweeper waits for: a deadline, a silent connection, a claim without a task.
const LONG_MS: i64 = 3 * 60 * 1000;
const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:VideoPollingStateMachine";

/// The observer.
pub struct Observer {
    journal: Arc<Journal>,
    /// One for each owner.
    owners: Vec<Wire>,
    internal_url: String,
    http: reqwest::Client,
    database: mongodb::Database,
}

impl Observer {
    /// Of the board of these owners. `database` is only for what the wire can't show: rows of connections, and to let time pass.
    pub fn new(
        journal: &Arc<Journal>,
        owners: Vec<Wire>,
        stack: &Stack,
        database: mongodb::Database,
    ) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let internal_url = stack.internal_url().to_owned();
        Ok(Self { journal: Arc::clone(journal), owners, internal_url, http, database })
    }

    /// Looks whether all is well, after the clients have settled: what is stored, and what each client shows.
    pub async fn check(&self, clients: &mut [Client]) -> Result<()> {
        let asked = Instant::now();
        let lists = try_join_all(self.owners.iter().map(Wire::list)).await?;
        {
            let mut records = self.journal.records();
            let mut wrong = verdict::told_and_refused(&records);
            for (owner, list) in lists.iter().enumerate() {
                wrong.extend(verdict::check(&records, owner, list, asked));
            }
            wrong.into_iter().for_each(|what| records.violation(what));
        }
        let converge = clients.iter_mut().map(|client| {
            let list = &lists[client.owner];
            async move { (client.number, client.converge(list, PUSH_LIMIT).await) }
        });
        let converged = join_all(converge).await.into_iter();
        let behind: Vec<_> = converged.filter_map(|(number, found)| found.map(|_| number)).collect();
        for client in clients.iter_mut().filter(|client| behind.contains(&client.number)) {
            // What nobody answered may have been carried out since.
            let list = self.owners[client.owner].list().await?;
            if let Some(difference) = client.converge(&list, PUSH_LIMIT).await {
                self.journal.violation(format!("client {} does not converge: {difference}", client.number));
            }
        }
        let tasks = self.vendor_tasks().await?;
        verdict::paid_twice(&tasks).into_iter().for_each(|what| self.journal.violation(what));
        Ok(())
    }

    /// All tasks that the vendor has accepted, each of which would have been paid.
    pub async fn vendor_tasks(&self) -> Result<Vec<Value>> {
        let url = format!("{}/simulation/vendor/tasks", self.internal_url);
        let mut answer: Value = self.http.get(url).send().await?.json().await?;
        Ok(answer["tasks"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// That every generation ends, and no execution goes on after it.
    pub async fn await_ends(&self, stack: &Stack) -> Result<()> {
        let mut running = self.await_end().await?;
        // What has nobody left who would end it is the sweeper's, some minutes later.
        for _ in 0..3 {
            if running.is_empty() {
                break;
            }
            self.let_time_pass().await?;
            sweep(stack).await?;
            running = self.await_end().await?;
        }
        for what in running {
            self.journal.violation(format!("never ends: {what}"));
        }
        Ok(())
    }

    async fn await_end(&self) -> Result<Vec<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut running = self.executions().await?;
            for list in try_join_all(self.owners.iter().map(Wire::list)).await? {
                let is_running = |workspace: &&Value| workspace["video"]["status"] == "generating";
                running.extend(list.iter().filter(is_running).map(|workspace| workspace["_id"].to_string()));
            }
            if running.is_empty() || Instant::now() >= until {
                return Ok(running);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn executions(&self) -> Result<Vec<String>> {
        let body = json!({"stateMachineArn": MACHINE, "statusFilter": "RUNNING"});
        let request = self.http.post(&self.internal_url).json(&body);
        let request = request.header("x-amz-target", "AWSStepFunctions.ListExecutions");
        let answer: Value = request.send().await?.json().await?;
        let executions = answer["executions"].as_array().context("no executions")?;
        Ok(executions.iter().map(|execution| execution["name"].to_string()).collect())
    }

    /// That every picture that was acknowledged, and every finished video, is there.
    pub async fn check_files(&self) -> Result<()> {
        let pictures = std::mem::take(&mut self.journal.records().pictures);
        for picture in pictures {
            let (status, bytes) = self.fetch(picture.owner, &picture.url).await?;
            if (status, bytes.as_ref()) != (StatusCode::OK, picture.bytes.as_slice()) {
                self.journal.violation(format!("the picture {} is answered {status}", picture.url));
            }
        }
        for (owner, wire) in self.owners.iter().enumerate() {
            for workspace in wire.list().await? {
                // One that could not be kept is at the vendor's address, for as long as that is good.
                let url = workspace["video"]["url"].as_str().filter(|url| url.starts_with("/api/"));
                if let Some(url) = url {
                    let (status, bytes) = self.fetch(owner, url).await?;
                    if status != StatusCode::OK || bytes.is_empty() {
                        self.journal.violation(format!("the video {url} is answered {status}"));
                    }
                }
            }
        }
        Ok(())
    }

    async fn fetch(&self, owner: usize, url: &str) -> Result<(StatusCode, Bytes)> {
        let response = self.owners[owner].request(Method::GET, url).send().await?;
        Ok((response.status(), response.bytes().await?))
    }

    /// That no row of a dead connection outlives two sweeps, though no `$disconnect` comes for any.
    pub async fn check_rows(&self, stack: &Stack, clients: &mut [Client]) -> Result<()> {
        stack.faults().switch(Fault::LoseDisconnect, 1.0);
        for client in clients {
            client.vanish(client.number % 2 == 0).await;
        }
        let until = Instant::now() + PATIENCE;
        while stack.connections() > 0 && Instant::now() < until {
            sleep(LOOK_EVERY).await;
        }
        stack.faults().switch(Fault::LoseDisconnect, 0.0);
        self.let_time_pass().await?;
        for _ in 0..2 {
            sweep(stack).await?;
        }
        let rows = self.database.collection::<Document>("connections");
        let open = rows.count_documents(doc! {"closed_at": null}).await?;
        if (open, stack.connections()) != (0, 0) {
            let sockets = stack.connections();
            self.journal.violation(format!("{open} rows and {sockets} sockets of connections that are gone"));
        }
        Ok(())
    }

    /// Makes all rows look as if some minutes had passed.
    async fn let_time_pass(&self) -> Result<()> {
        let earlier = |field: &str| doc! {"$subtract": [format!("${field}"), LONG_MS]};
        let aged = |filter: Document, fields: &[&str]| {
            let set: Document =
                fields.iter().map(|field| ((*field).to_owned(), earlier(field).into())).collect();
            (filter, vec![doc! {"$set": set}])
        };
        let (filter, pipeline) = aged(
            doc! {"video.status": "generating"},
            &["video.generation.polled_at", "video.generation.deadline_at"],
        );
        self.database.collection::<Document>("workspaces").update_many(filter, pipeline).await?;
        let (filter, pipeline) = aged(
            doc! {"last_seen": {"$ne": null}, "connected_at": {"$ne": null}},
            &["last_seen", "connected_at"],
        );
        self.database.collection::<Document>("connections").update_many(filter, pipeline).await?;
        Ok(())
    }
}

/// What the sweeper's schedule does each minute.
async fn sweep(stack: &Stack) -> Result<()> {
    let swept = stack.functions().invoke("SweepStaleFunction", Bytes::from_static(b"{}")).await;
    swept.map(drop).context("the sweep failed")
}
