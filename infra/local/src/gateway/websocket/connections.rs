//! The open connections, as the management API sees them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::gateway::ids;
use crate::sync::lock;

/// Messages that wait for a slow socket. Whoever sends more is told to slow down, and nobody waits for it.
const OUTBOX: usize = 256;

/// All connections of one stack. Cheap to clone.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<String, Arc<Connection>>>>);

/// One client, from before its `$connect` until it is gone.
pub struct Connection {
    pub id: String,
    pub connected_at: Timestamp,
    pub source_ip: IpAddr,
    pub user_agent: String,
    pub domain_name: String,
    /// Told to end by the management API.
    pub end: Notify,
    /// There is none until the handshake is complete.
    outbox: Mutex<Option<mpsc::Sender<Bytes>>>,
    last_active: Mutex<(Timestamp, Instant)>,
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// Not open yet, or not any more.
    Gone,
    /// Too many messages wait already.
    Full,
}

impl Connections {
    /// A new connection, which isn't open yet.
    pub fn add(&self, source_ip: IpAddr, user_agent: String, domain_name: String) -> Arc<Connection> {
        let now = Timestamp::now();
        let connection = Arc::new(Connection {
            id: ids::id(),
            connected_at: now,
            source_ip,
            user_agent,
            domain_name,
            end: Notify::new(),
            outbox: Mutex::new(None),
            last_active: Mutex::new((now, Instant::now())),
        });
        lock(&self.0).insert(connection.id.clone(), Arc::clone(&connection));
        connection
    }

    /// The connection with this id, if it is open.
    pub fn open(&self, id: &str) -> Option<Arc<Connection>> {
        let connection = lock(&self.0).get(id).cloned()?;
        let is_open = lock(&connection.outbox).is_some();
        is_open.then_some(connection)
    }

    /// How many there are, open or about to be.
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// From now on nothing can be sent, and nobody finds it.
    pub fn remove(&self, connection: &Connection) {
        lock(&self.0).remove(&connection.id);
        lock(&connection.outbox).take();
    }
}

impl Connection {
    /// The handshake is complete. What is sent from now on comes out of the receiver.
    pub fn opened(&self) -> mpsc::Receiver<Bytes> {
        let (outbox, messages) = mpsc::channel(OUTBOX);
        *lock(&self.outbox) = Some(outbox);
        messages
    }

    /// Hands a message to the socket's writer.
    pub fn send(&self, message: Bytes) -> Result<(), SendError> {
        let outbox = lock(&self.outbox);
        match outbox.as_ref().ok_or(SendError::Gone)?.try_send(message) {
            Ok(()) => {
                self.touch();
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(SendError::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(SendError::Gone),
        }
    }

    /// Like [`Connection::send`], but waits for a slow socket: for answers to the client itself.
    pub async fn answer(&self, message: Bytes) {
        let Some(outbox) = lock(&self.outbox).clone() else { return };
        if outbox.send(message).await.is_ok() {
            self.touch();
        }
    }

    /// A message came or went.
    pub fn touch(&self) {
        *lock(&self.last_active) = (Timestamp::now(), Instant::now());
    }

    /// When the last message came or went.
    pub fn last_active(&self) -> (Timestamp, Instant) {
        *lock(&self.last_active)
    }
}
