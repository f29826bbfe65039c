//! A client that follows the contract's rules: it repeats what nobody answered, with the same `timestamp` and `request_id`, and
//! after a reconnect loads the list and sends again what is open (contract §3).

use std::collections::{HashMap, HashSet};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{SinkExt, future::Either};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::VIDEO_DURATION;
use crate::clock::Clock;
use crate::journal::{End, Journal, Kind, Operation};
use crate::view::View;
use crate::wire::Wire;

/// A frame without an answer is sent again after this long (contract §3).
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// So many times after the first (contract §3).
const REPEATS: u32 = 3;
/// After an error that passes.
pub const PAUSE: Duration = Duration::from_millis(500);
/// How long it may take to connect, and to have an answer to all or to have given it up, once nothing goes wrong any more.
const SETTLING_LIMIT: Duration = Duration::from_secs(180);
/// How long a handshake may take, which waits for a function.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

type Request = Pin<Box<dyn Future<Output = Done> + Send>>;
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client of one owner.
pub struct Client {
    pub number: usize,
    pub owner: usize,
    /// What marks all that this owner writes.
    pub mark: String,
    pub random: Rng,
    pub clock: Clock,
    pub wire: Wire,
    pub journal: Arc<Journal>,
    pub view: View,
    /// Requests by REST that are under way, but for lists.
    pub requests: FuturesUnordered<Request>,
    /// Lists that were asked for.
    pub lists: FuturesUnordered<Request>,
    /// The errors that the video vendor has.
    pub vendor_errors: Arc<[String]>,
    /// Workspaces of which this client has cancelled a video: a late repeat may cancel another.
    pub cancelled: HashSet<String>,
    /// The last picture that this client has uploaded.
    pub picture: Option<String>,
    /// When there was an answer about the video of a workspace.
    pub ordered: HashMap<String, Instant>,
    /// Workspaces for which this client has one frame or request under way that wants to be alone.
    pub reserved: Vec<String>,
    id: String,
    pub socket: Option<Socket>,
    pub pending: HashMap<String, Pending>,
    pub answered: HashMap<String, Value>,
    /// How many values, frames and keys were made.
    made: u64,
}

/// What a request by REST led to.
pub enum Done {
    /// The answer to the list that was asked for as the `number`th.
    Listed(u64, Vec<Value>),
    /// There is an answer about the video of a workspace, made of this picture.
    Generated(String, Option<String>),
    /// Nothing that anybody waits for.
    Nothing,
}

/// A frame that has no answer yet.
pub struct Pending {
    pub text: String,
    pub kind: Kind,
    pub workspace: Option<String>,
    pub operation: usize,
    sends: u32,
    /// When it is sent again.
    pub again: Instant,
}

impl Pending {
    /// Whether it was sent more than once.
    pub fn is_repeated(&self) -> bool {
        self.sends > 1
    }
}

impl Client {
    /// One that is not connected yet. All that it does at random is decided by `seed` and its number.
    pub fn new(
        (number, owner): (usize, usize),
        seed: u64,
        wire: Wire,
        journal: &Arc<Journal>,
        vendor_errors: Arc<[String]>,
    ) -> Self {
        let mut random = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        Self {
            number,
            owner,
            mark: format!("owner-{owner}-"),
            clock: Clock::new(&mut random),
            random,
            wire,
            journal: Arc::clone(journal),
            view: View::default(),
            requests: FuturesUnordered::new(),
            lists: FuturesUnordered::new(),
            vendor_errors,
            cancelled: HashSet::new(),
            picture: None,
            ordered: HashMap::new(),
            reserved: Vec::new(),
            id: format!("client-{number}"),
            socket: None,
            pending: HashMap::new(),
            answered: HashMap::new(),
            made: 0,
        }
    }

    /// A name that nothing else has.
    pub fn unique(&mut self) -> String {
        self.made += 1;
        format!("{}{}-{}", self.mark, self.number, self.made)
    }

    /// Whether the video of a workspace was ordered just now.
    pub fn is_making(&self, workspace: &str) -> bool {
        self.ordered.get(workspace).is_some_and(|ordered| ordered.elapsed() < VIDEO_DURATION)
    }

    /// Whether a frame about this workspace has no answer yet.
    pub fn is_busy_with(&self, workspace: &str) -> bool {
        self.pending.values().any(|pending| pending.workspace.as_deref() == Some(workspace))
    }

    /// Sends a frame, now if there is a connection.
    pub async fn send(&mut self, kind: Kind, data: Value, mut operation: Operation) {
        self.made += 1;
        let (request, timestamp) = (format!("{}-{}", self.number, self.made), self.clock.stamp());
        operation.timestamp = timestamp;
        let name = frame_name(kind);
        let workspace = data["workspace_id"].as_str().map(str::to_owned);
        let frame = json!({
            "type": name, "data": data, "timestamp": timestamp, "request_id": request, "client_id": self.id,
        });
        let operation = self.journal.begin(operation);
        let pending =
            Pending { text: frame.to_string(), kind, workspace, operation, sends: 0, again: Instant::now() };
        self.pending.insert(request.clone(), pending);
        self.transmit(&request).await;
    }

    async fn transmit(&mut self, request: &str) {
        let Some(pending) = self.pending.get_mut(request) else { return };
        let Some(socket) = &mut self.socket else {
            pending.again = Instant::now() + PAUSE;
            return;
        };
        if pending.sends > REPEATS {
            // Another connection is no reason to ask again, or to give up before its time.
            if pending.again <= Instant::now()
                && let Some(pending) = self.pending.remove(request)
            {
                self.settle(&pending, End::Unknown);
                self.load();
            }
            return;
        }
        pending.sends += 1;
        pending.again = Instant::now() + ANSWER_LIMIT;
        if socket.send(Message::text(pending.text.clone())).await.is_err() {
            self.socket = None;
        }
    }

    /// Notes how a frame ended.
    pub fn settle(&mut self, pending: &Pending, end: End) {
        self.journal.end(pending.operation, end);
        if let (Kind::LockedUpdate, Some(workspace)) = (pending.kind, &pending.workspace) {
            self.reserved.retain(|reserved| reserved != workspace);
        }
    }

    /// Breaks the connection: with a farewell, or as a train in a tunnel does.
    pub async fn vanish(&mut self, says_farewell: bool) {
        if let Some(mut socket) = self.socket.take()
            && says_farewell
        {
            // It is gone either way.
            let _ = timeout(PAUSE, socket.close(None)).await;
        }
    }

    /// Connects if there is no connection, asks for the list, and sends again what is open.
    pub async fn connect(&mut self) {
        if self.socket.is_some() {
            return;
        }
        match timeout(HANDSHAKE_LIMIT, connect_async(self.wire.handshake())).await {
            Ok(Ok((socket, _))) => self.socket = Some(socket),
            _ => {
                sleep(PAUSE).await;
                return;
            }
        }
        self.load();
        let mut open: Vec<_> = self.pending.keys().cloned().collect();
        open.sort();
        for request in open {
            self.transmit(&request).await;
        }
    }

    /// Asks for the list.
    pub fn load(&mut self) {
        let (number, wire) = (self.view.ask(), self.wire.clone());
        let journal = Arc::clone(&self.journal);
        let operation = journal.begin(Operation::new(Kind::List, self.owner, self.number));
        self.lists.push(Box::pin(async move {
            match wire.list().await {
                Ok(list) => {
                    journal.end(operation, End::Acknowledged);
                    Done::Listed(number, list)
                }
                Err(_) => {
                    journal.end(operation, End::Unknown);
                    Done::Nothing
                }
            }
        }));
    }

    /// Receives what comes, and repeats what is due, until `until`, or until something has come.
    pub async fn step(&mut self, until: Instant) {
        self.connect().await;
        let due = self.pending.iter().min_by_key(|(_, pending)| pending.again);
        let due = due.map(|(request, pending)| (request.clone(), pending.again));
        let again = due.as_ref().map_or(until, |(_, again)| (*again).min(until));
        let next = match &mut self.socket {
            Some(socket) => Either::Left(socket.next()),
            None => Either::Right(pending()),
        };
        tokio::select! {
            message = next => match message {
                Some(Ok(Message::Text(text))) => self.receive(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => self.socket = None,
                Some(Ok(_)) => {}
            },
            Some(done) = self.requests.next() => self.finish(done),
            Some(done) = self.lists.next() => self.finish(done),
            () = sleep_until(again) => {
                if let Some((request, _)) = due.filter(|(_, again)| *again <= Instant::now()) {
                    self.transmit(&request).await;
                }
            }
        }
    }

    /// Receives until every frame and list has its answer, or never will.
    pub async fn settle_all(&mut self) {
        let late = Instant::now() + SETTLING_LIMIT;
        while self.socket.is_none() || !self.pending.is_empty() || !self.lists.is_empty() {
            if Instant::now() > late {
                return self
                    .journal
                    .violation(format!("client {} gets no connection, or no answer", self.number));
            }
            self.step(Instant::now() + PAUSE).await;
        }
    }

    /// Receives until every other request has its answer, or never will.
    pub async fn finish_requests(&mut self) {
        while !self.requests.is_empty() {
            self.step(Instant::now() + PAUSE).await;
        }
    }

    /// Receives until it shows what the list does: the last difference, if that takes too long.
    pub async fn converge(&mut self, list: &[Value], patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        loop {
            let difference = self.view.difference(list)?;
            if Instant::now() >= until {
                return Some(difference);
            }
            self.step(until.min(Instant::now() + PAUSE)).await;
        }
    }
}

fn frame_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "workspace.create",
        Kind::Delete => "workspace.delete",
        Kind::Reorder => "workspace.reorder",
        Kind::Cancel => "video.cancel",
        Kind::Ping => "ping",
        _ => "workspace.update",
    }
}
