//! The MongoDB deployment: one client for a process, and what its failures mean.

use std::time::Duration;

use mongodb::{
    Client, Collection,
    bson::{Bson, DateTime, Document, doc, oid::ObjectId},
    error::{
        Error as MongoError, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR, WriteFailure,
    },
    options::{ClientOptions, ReadConcern, WriteConcern},
};

use super::uploads;
use crate::model::{Timestamp, WorkspaceId};

/// Must leave a function time to answer within the gateway's 29 s; the driver's own default of 30 s does not.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The driver tries a transaction again for two minutes, which nobody waits for.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The database itself gives up what takes longer. Who waits for it is gone by then, and updates of one workspace that get into each
/// other's way would be tried again and again for minutes, at everybody's cost.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// A process has one event at a time, and an event at most this many operations side by side.
const MAX_POOL_SIZE: u32 = 4;
/// A connection that was idle for longer than this has probably not outlived a freeze.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

/// The database failed.
///
/// The driver's own error is not kept: it also shows the bytes of the server's answer, which hold what users wrote.
#[derive(Debug, thiserror::Error)]
#[error("database {}: {reason}", if *unreachable { "unreachable" } else { "failed" })]
pub struct DatabaseError {
    unreachable: bool,
    reason: String,
}

impl DatabaseError {
    /// Whether there was nobody to talk to, rather than an operation that failed.
    pub const fn is_unreachable(&self) -> bool {
        self.unreachable
    }
}

impl From<MongoError> for DatabaseError {
    fn from(source: MongoError) -> Self {
        let unreachable = matches!(
            *source.kind,
            ErrorKind::ServerSelection { .. }
                | ErrorKind::Io(_)
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::DnsResolve { .. }
        );
        // A failover: the next primary will take it.
        let is_passing = source.contains_label(RETRYABLE_WRITE_ERROR)
            || source.contains_label(TRANSIENT_TRANSACTION_ERROR);
        Self { unreachable: unreachable || is_passing, reason: source.kind.to_string() }
    }
}

impl DatabaseError {
    /// What is wrong with a connection string: the driver would quote it, and a password with it.
    fn of_uri(source: MongoError) -> Self {
        match *source.kind {
            ErrorKind::InvalidArgument { .. } => {
                Self { unreachable: false, reason: "malformed connection string".to_owned() }
            }
            _ => source.into(),
        }
    }

    /// What [`TRANSACTION_TIMEOUT`] was too short for.
    pub(super) fn timed_out() -> Self {
        Self { unreachable: true, reason: "transaction timed out".to_owned() }
    }
}

/// A handle on the database; clones share its client.
#[derive(Clone, Debug)]
pub struct Database(mongodb::Database);

impl Database {
    /// Prepares a client for `uri`. Connections are made when they are needed.
    ///
    /// All writes wait for the majority, and all reads see only what the majority has: what was acknowledged, or shown,
    /// is never rolled back.
    pub async fn connect(uri: &str, name: &str) -> Result<Self, DatabaseError> {
        let mut options = ClientOptions::parse(uri).await.map_err(DatabaseError::of_uri)?;
        options.app_name = Some("motionboard".to_owned());
        options.server_selection_timeout = Some(SERVER_SELECTION_TIMEOUT);
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.max_pool_size = Some(MAX_POOL_SIZE);
        options.min_pool_size = Some(0);
        options.max_idle_time = Some(MAX_IDLE_TIME);
        options.write_concern = Some(WriteConcern::majority());
        options.read_concern = Some(ReadConcern::majority());
        Ok(Self(Client::with_options(options).map_err(DatabaseError::of_uri)?.database(name)))
    }

    /// Makes the indexes that are not there yet. Nothing is wrong without them, only slow and untidy.
    pub async fn ensure_indexes(&self) -> Result<(), DatabaseError> {
        let index = |collection: &str, name: &str, keys: Document, life: Option<Duration>| {
            let mut index = doc! {"name": name, "key": keys};
            if let Some(life) = life {
                // Counted from the date in the field.
                index.insert("expireAfterSeconds", i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
            }
            doc! {"createIndexes": collection, "indexes": [index]}
        };
        let at_once = Some(Duration::ZERO);
        let board = doc! {"owner": 1, "deleted_at": 1, "order_index": 1, "created_at": 1, "_id": 1};
        for command in [
            index(WORKSPACES, "board", board, None),
            index(WORKSPACES, "generating", doc! {"video.status": 1, "video.generation.polled_at": 1}, None),
            index(WORKSPACES, "tombstones", doc! {"expires_at": 1}, at_once),
            index(WORKSPACES, "condemned", doc! {"condemned": 1}, None),
            index(CONNECTIONS, "owner", doc! {"owner": 1, "last_seen": 1}, None),
            index(CONNECTIONS, "silent", doc! {"last_seen": 1}, None),
            index(CONNECTIONS, "unauthorized", doc! {"token_expires_at": 1}, None),
            index(CONNECTIONS, "expired", doc! {"expires_at": 1}, at_once),
            index(UPLOADS, "unused", doc! {"removed_at": 1, "at": 1}, None),
            index(UPLOADS, "removed", doc! {"removed_at": 1}, Some(uploads::REMEMBERED)),
        ] {
            self.0.run_command(command).await?;
        }
        Ok(())
    }

    pub(super) fn workspaces(&self) -> Collection<Document> {
        self.0.collection(WORKSPACES)
    }

    pub(super) fn connections(&self) -> Collection<Document> {
        self.0.collection(CONNECTIONS)
    }

    pub(super) fn owners(&self) -> Collection<Document> {
        self.0.collection("owners")
    }

    pub(super) fn uploads(&self) -> Collection<Document> {
        self.0.collection(UPLOADS)
    }

    pub(super) fn quotas(&self) -> Collection<Document> {
        self.0.collection("quotas")
    }

    pub(super) fn client(&self) -> &Client {
        self.0.client()
    }
}

const WORKSPACES: &str = "workspaces";
const CONNECTIONS: &str = "connections";
const UPLOADS: &str = "uploads";

pub(super) fn date(timestamp: Timestamp) -> DateTime {
    DateTime::from_millis(timestamp.millis())
}

pub(super) fn timestamp(date: DateTime) -> Timestamp {
    Timestamp::from_millis(date.timestamp_millis())
}

pub(super) fn object_id(id: WorkspaceId) -> ObjectId {
    ObjectId::from_bytes(id.to_bytes())
}

pub(super) fn workspace_id(id: ObjectId) -> WorkspaceId {
    WorkspaceId::from_bytes(id.bytes())
}

/// A value in an aggregation expression that is a value, whatever is in it: without this a text that begins with `$`
/// would be read as the name of a field.
pub(super) fn literal(value: impl Into<Bson>) -> Document {
    doc! {"$literal": value.into()}
}

/// Whether a document with this `_id`, or another unique key, was there already.
pub(super) fn is_duplicate_key(error: &MongoError) -> bool {
    const DUPLICATE_KEY: i32 = 11_000;
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(failure)) => failure.code == DUPLICATE_KEY,
        ErrorKind::Command(failure) => failure.code == DUPLICATE_KEY,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_string_is_never_quoted() {
        for uri in [
            "mongodb+srv://motionboard:S3cret",
            "mongodb://user:S3cret?word@host/",
            "mongodb://user:S3cret@host/?S3cret=S3cret",
            "mongodb://user:S3cret@host:S3cret/",
            "mongodb://user:S3cret@host/?tls=S3cret",
            "S3cret",
        ] {
            let error = Database::connect(uri, "motionboard").await.unwrap_err().to_string();
            assert!(!error.contains("S3cret"), "{error}");
        }
    }
}
