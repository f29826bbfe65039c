//! A replica set of three members, as a deployment has one, whose members can be killed and brought back: to see what a
//! failover does to what was acknowledged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use mongodb::bson::{Document, doc};
use tokio::time::{interval, timeout};

use super::binary;
use super::replica_set::{NAME, connect};
use super::server::{Server, free_port};

const MEMBERS: usize = 3;
/// An election takes two to three times [`ELECTION_TIMEOUT`], and a member that comes back may have to roll back first.
const PATIENCE: Duration = Duration::from_secs(60);
/// A tenth of MongoDB's own: a failover here shall take seconds.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The set. Dropped, its members are killed.
pub struct Three {
    binary: PathBuf,
    data: PathBuf,
    members: Vec<Member>,
}

struct Member {
    port: u16,
    /// None while it is dead.
    server: Option<Server>,
}

impl Three {
    /// Starts three empty members with files under `data`; a fetched binary is kept in `tools`. Returns once all are well.
    pub async fn start(data: &Path, tools: &Path) -> anyhow::Result<Self> {
        let binary = binary::find_or_fetch(tools).await?;
        let mut set = Self { binary, data: data.to_owned(), members: Vec::new() };
        for number in 0..MEMBERS {
            std::fs::create_dir_all(set.directory(number)).context("cannot create the member's directory")?;
            set.members.push(Member { port: free_port().await?, server: None });
            set.revive(number).await?;
        }
        let members: Vec<Document> = set
            .members
            .iter()
            .enumerate()
            .map(|(number, member)| doc! {"_id": number as i32, "host": format!("127.0.0.1:{}", member.port)})
            .collect();
        let election = i64::try_from(ELECTION_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
        let settings = doc! {"electionTimeoutMillis": election, "heartbeatIntervalMillis": 200, "catchUpTimeoutMillis": 0};
        let config = doc! {"_id": NAME, "members": members, "settings": settings};
        set.ask(0, doc! {"replSetInitiate": config}).await.context("cannot configure the set of three")?;
        set.heal().await?;
        Ok(set)
    }

    /// The connection string.
    pub fn uri(&self) -> String {
        let hosts: Vec<_> = self.members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        format!("mongodb://{}/?replicaSet={NAME}", hosts.join(","))
    }

    /// The member that takes writes; waits until there is one.
    pub async fn primary(&self) -> anyhow::Result<usize> {
        let look = async {
            let mut ticks = interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                for number in 0..MEMBERS {
                    if self.state(number).await.as_deref() == Some("PRIMARY") {
                        return number;
                    }
                }
            }
        };
        timeout(PATIENCE, look).await.context("the set of three has no primary")
    }

    /// All members but one.
    pub fn others(number: usize) -> impl Iterator<Item = usize> {
        (0..MEMBERS).filter(move |other| *other != number)
    }

    /// `kill -9`. What the member hadn't written to its journal, and what only it had, is gone.
    pub async fn kill(&mut self, number: usize) {
        if let Some(server) = self.members[number].server.take() {
            server.kill().await;
        }
    }

    /// Starts a dead member again, on its old port.
    pub async fn revive(&mut self, number: usize) -> anyhow::Result<()> {
        let (directory, log) = (self.directory(number), self.data.join(format!("mongod-{number}.log")));
        let member = &mut self.members[number];
        if member.server.is_none() {
            member.server = Some(Server::start_member(&self.binary, &directory, &log, member.port).await?);
        }
        Ok(())
    }

    /// Has the primary hand over, as for maintenance, and waits until it has.
    pub async fn step_down(&self) -> anyhow::Result<()> {
        let primary = self.primary().await?;
        let hand_over = async {
            loop {
                // It may refuse while no other is up to date, and its answer may be lost with its connections.
                let _ = self.ask(primary, doc! {"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2}).await;
                match self.primary().await {
                    Ok(now) if now == primary => {}
                    other => return other.map(drop),
                }
            }
        };
        timeout(PATIENCE, hand_over).await.context("the primary does not hand over")?
    }

    /// Brings all back, and waits until one is primary and the others follow it.
    pub async fn heal(&mut self) -> anyhow::Result<()> {
        for number in 0..MEMBERS {
            self.revive(number).await?;
        }
        let well = async {
            let mut ticks = interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                let mut states = Vec::new();
                for number in 0..MEMBERS {
                    states.push(self.state(number).await.unwrap_or_default());
                }
                states.sort();
                if states == ["PRIMARY", "SECONDARY", "SECONDARY"] {
                    return;
                }
            }
        };
        timeout(PATIENCE, well).await.map_err(|_| anyhow!("the set of three does not become well again"))
    }

    /// Ends all members.
    pub async fn stop(self) {
        for server in self.members.into_iter().filter_map(|member| member.server) {
            server.kill().await;
        }
    }

    fn directory(&self, number: usize) -> PathBuf {
        self.data.join(format!("mongo-{number}"))
    }

    /// As the member itself sees it.
    async fn state(&self, number: usize) -> Option<String> {
        self.members[number].server.as_ref()?;
        let status = timeout(Duration::from_secs(1), self.ask(number, doc! {"replSetGetStatus": 1})).await;
        let status = status.ok()?.ok()?;
        let members = status.get_array("members").ok()?.iter().filter_map(|member| member.as_document());
        let own = members.into_iter().find(|member| member.get_bool("self").unwrap_or_default())?;
        own.get_str("stateStr").ok().map(str::to_owned)
    }

    async fn ask(&self, number: usize, command: Document) -> anyhow::Result<Document> {
        let port = self.members[number].port;
        let client = connect(&format!(
            "mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=2000"
        ))
        .await?;
        let answer = client.database("admin").run_command(command).await;
        client.shutdown().immediate(true).await;
        Ok(answer?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::options::WriteConcern;
    use tempfile::TempDir;

    #[tokio::test]
    async fn what_the_majority_has_outlives_the_primary_and_what_only_it_had_does_not() {
        let data = TempDir::new().unwrap();
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local");
        let mut set = Three::start(data.path(), &tools).await.unwrap();
        let client = connect(&set.uri()).await.unwrap();
        let things = client.database("test").collection::<Document>("things");
        let majority = WriteConcern::majority();
        things.insert_one(doc! {"_id": 1}).write_concern(majority).await.unwrap();

        let primary = set.primary().await.unwrap();
        for other in Three::others(primary) {
            set.kill(other).await;
        }
        things.insert_one(doc! {"_id": 2}).write_concern(WriteConcern::nodes(1)).await.unwrap();
        set.kill(primary).await;
        for other in Three::others(primary) {
            set.revive(other).await.unwrap();
        }
        set.primary().await.unwrap();
        set.heal().await.unwrap();
        assert_ne!(set.primary().await.unwrap(), primary);
        let found = async |id: i32| things.find_one(doc! {"_id": id}).await.unwrap().is_some();
        assert_eq!((found(1).await, found(2).await), (true, false));

        let before = set.primary().await.unwrap();
        set.step_down().await.unwrap();
        assert_ne!(set.primary().await.unwrap(), before);
        set.stop().await;
    }
}
