//! The database of the local stack: a real MongoDB, because transactions, pipeline updates and majority
//! acknowledgements are what the functions rely on, and no imitation has them.
//!
//! Three sources, in this order: the address in `MONGODB_URI`; a `mongod` on the `PATH`; a pinned `mongod` that is
//! fetched once. The last two are started here as a replica set of one member, which is what
//! transactions need.

mod binary;
mod replica_set;
mod server;
mod three;

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use mongodb::Client;
use mongodb::bson::doc;
use mongodb::options::ClientOptions;

use server::Server;
pub use three::Three;

/// A database that the stack may use: somebody else's, or one that lives as long as this value.
pub struct Database {
    uri: String,
    own: Option<Own>,
}

/// A server that this stack started. Dropped without [`Database::stop`], it is killed.
#[derive(Debug)]
struct Own {
    server: Server,
    /// Held to the end: tells a second stack that the directory is taken.
    _lock: File,
}

impl Database {
    /// Uses the database at `uri`, or starts one whose files are in `data/mongo`.
    ///
    /// `tools` is where a fetched binary is kept; stacks with different data directories share it. With `exposed`, one that is
    /// started here listens on that port of all addresses of this machine: for functions in containers, and unprotected.
    pub async fn open(
        uri: Option<String>,
        data: &Path,
        tools: &Path,
        exposed: Option<u16>,
    ) -> anyhow::Result<Self> {
        match uri {
            Some(uri) => {
                check_external(&uri).await?;
                Ok(Self { uri, own: None })
            }
            None => Self::start(data, tools, exposed).await,
        }
    }

    async fn start(data: &Path, tools: &Path, exposed: Option<u16>) -> anyhow::Result<Self> {
        let directory = data.join("mongo");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let lock = lock(data)?;
        let binary = binary::find_or_fetch(tools).await?;
        let server = Server::start(&binary, &directory, &data.join("mongod.log"), exposed).await?;
        let uri = match exposed {
            // The set's only member is called as this machine calls it: who calls it otherwise must not ask the set.
            Some(port) => format!("mongodb://127.0.0.1:{port}/?directConnection=true"),
            None => format!("mongodb://127.0.0.1:{}/?replicaSet={}", server.port(), replica_set::NAME),
        };
        Ok(Self { uri, own: Some(Own { server, _lock: lock }) })
    }

    /// The connection string.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Lets a server that was started here finish its work and end.
    pub async fn stop(self) {
        if let Some(own) = self.own {
            own.server.stop().await;
        }
    }
}

impl fmt::Debug for Database {
    /// Without the address, which may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Database").field("own", &self.own).finish_non_exhaustive()
    }
}

/// Two servers on one directory would not work; two stacks on it would not either, and this can say so in words.
pub(crate) fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("mongo.lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(anyhow!(
            "another stack is running on the data directory {}: stop it, or choose another with --data",
            data.display()
        )),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// A database that can't be reached, or that has no transactions, should be told before the first request fails.
async fn check_external(uri: &str) -> anyhow::Result<()> {
    // The address is not shown: it may hold a password.
    let mut options = ClientOptions::parse(uri).await.context("MONGODB_URI is not a connection string")?;
    options.server_selection_timeout = Some(Duration::from_secs(5));
    let client = Client::with_options(options).context("MONGODB_URI cannot be used")?;
    let hello = client
        .database("admin")
        .run_command(doc! {"hello": 1})
        .await
        .context("the database of MONGODB_URI cannot be reached")?;
    if !hello.contains_key("setName") && hello.get_str("msg").ok() != Some("isdbgrid") {
        bail!(
            "the database of MONGODB_URI is a single server: transactions need a replica set (one member is enough)"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::Document;
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// The directory that all tests and `cargo run` share, so that the binary is fetched once.
    fn tools() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local")
    }

    async fn start(data: &TempDir) -> anyhow::Result<Database> {
        Database::open(None, data.path(), &tools(), None).await
    }

    #[tokio::test]
    async fn transactions_work_and_data_survives_a_restart_on_another_port() {
        let data = TempDir::new().unwrap();
        let first = start(&data).await.unwrap();
        let first_uri = first.uri().to_owned();
        let client = Client::with_uri_str(&first_uri).await.unwrap();
        let things = client.database("test").collection::<Document>("things");
        let mut session = client.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        things.insert_one(doc! {"_id": 1}).session(&mut session).await.unwrap();
        session.commit_transaction().await.unwrap();

        let refusal = start(&data).await.unwrap_err().to_string();
        assert!(refusal.contains("another stack is running on the data directory"), "{refusal}");
        first.stop().await;

        // Taking the old port makes sure that the second server gets another. Nobody listens on it: the server asks
        // its old address whether that is itself, and would wait half a minute for the answer of a stranger.
        let old = first_uri.trim_start_matches("mongodb://").split('/').next().unwrap().parse().unwrap();
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.set_reuseaddr(true).unwrap();
        taken.bind(old).unwrap();
        let second = start(&data).await.unwrap();
        assert_ne!(second.uri(), first_uri);
        let client = Client::with_uri_str(second.uri()).await.unwrap();
        let things = client.database("test").collection::<Document>("things");
        assert_eq!(things.count_documents(doc! {}).await.unwrap(), 1);
        things.insert_one(doc! {"_id": 2}).await.unwrap();

        // Given the address of a database, nothing is started and the lock does not matter.
        let third = Database::open(Some(second.uri().to_owned()), data.path(), &tools(), None).await.unwrap();
        assert_eq!(third.uri(), second.uri());
        third.stop().await;
        assert_eq!(things.count_documents(doc! {}).await.unwrap(), 2);
        second.stop().await;
    }

    #[tokio::test]
    async fn a_dropped_database_leaves_no_process_and_can_be_started_again() {
        let data = TempDir::new().unwrap();
        let first = start(&data).await.unwrap();
        let pid = first.own.as_ref().unwrap().server.pid().unwrap();
        drop(first);
        // As after a crash: the second start waits for nothing and recovers from the journal.
        start(&data).await.unwrap().stop().await;
        assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "process {pid} is still there");
    }

    #[tokio::test]
    async fn an_unreachable_external_database_is_one_sentence() {
        let data = TempDir::new().unwrap();
        let uri = "mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=100".to_owned();
        let error = Database::open(Some(uri), data.path(), data.path(), None).await.unwrap_err();
        assert_eq!(error.to_string(), "the database of MONGODB_URI cannot be reached");
        assert!(!format!("{error:#}").contains("secret"));
    }
}
