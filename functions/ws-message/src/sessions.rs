//! Whose connection a frame came on, whether its token is still good, and whether frames come too fast on it (contract §7).
//!
//! A process remembers the connections that it has seen, so that most frames cost the database nothing here. Frames of one connection
//! are spread over many processes, and only its row knows them all; so that not each of them costs a write, each has the same small
//! chance of being counted, and then counts for all those that weren't. What the row knows comes with the lookup of whom to tell,
//! which each frame makes anyway.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shared::{
    model::{Answer, Identity, Timestamp, describe},
    service::{
        connections::{Connections, Sent},
        database::DatabaseError,
    },
};

use tokio::time::timeout;

use crate::TIME_TO_NOTE;

/// How many connections a process remembers before it begins anew: some megabytes at most.
const MAX_KNOWN: usize = 10_000;
/// How much may come at once, in seconds of the rate: a board of 200 workspaces that comes back from an afternoon without a
/// network sends one frame for each, and the count of them is a guess.
const BURST_SECONDS: f64 = 8.0;
/// How much may come in all before the connection is closed, in seconds of the rate.
const FLOOD_SECONDS: f64 = 16.0;
/// How many frames are counted in a second of a connection that keeps just to its rate; each stands for all those that weren't.
/// The fewer, the fewer writes, and the less exact.
const COUNTED_PER_SECOND: u32 = 5;
/// How long frames of a connection that was closed for flooding may still be under way.
const UNDER_WAY_MS: i64 = 60 * 1000;

/// Why a frame is not even looked at.
#[derive(Debug)]
pub enum Refused {
    /// The connection's token has expired, or nobody knows whose connection it is. The sweep closes it.
    Unauthorized,
    /// Too many came before it.
    TooFast {
        /// Until how many seconds from now.
        retry_after_seconds: u32,
        /// Whether it is time to close the connection.
        is_flood: bool,
    },
    /// It can't be told now.
    Unknown(DatabaseError),
}

impl Refused {
    /// What the client is told.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Unauthorized => Answer::unauthorized(),
            Self::TooFast { retry_after_seconds, .. } => Answer::rate_limited(*retry_after_seconds),
            Self::Unknown(_) => Answer::database_failed(),
        }
    }
}

/// The connections that this process has seen.
pub struct Sessions {
    connections: Connections,
    /// Whether connections have owners of their own.
    is_guarded: bool,
    per_second: u32,
    known: Mutex<HashMap<String, Session>>,
}

struct Session {
    /// `None`: nobody knows.
    identity: Option<Identity>,
    pace: Pace,
}

impl Sessions {
    /// Of `connections`, each of which may send `per_second` frames.
    pub fn new(connections: Connections, is_guarded: bool, per_second: u32) -> Self {
        Self { connections, is_guarded, per_second, known: Mutex::default() }
    }

    /// Whose the connection is that a frame came on just now.
    pub async fn admit(&self, connection_id: &str, now: Timestamp) -> Result<Identity, Refused> {
        let identity = self.identity(connection_id).await?.ok_or(Refused::Unauthorized)?;
        if identity.has_expired(now) {
            return Err(Refused::Unauthorized);
        }
        let weight = (self.per_second / COUNTED_PER_SECOND).max(1);
        if fastrand::u32(..weight) == 0 {
            let count = self.connections.count_frames(connection_id, weight, self.per_second);
            // A bound that can't be checked now bounds nothing: the frame itself is none the worse.
            match timeout(TIME_TO_NOTE, count).await {
                Ok(Ok(sent)) => self.learn(connection_id, sent, now),
                Ok(Err(error)) => tracing::warn!(error = describe(&error), "frames not counted"),
                Err(_) => tracing::warn!("frames not counted in time"),
            }
        }
        match self.with(connection_id, |session| session.pace.verdict(now)).flatten() {
            Some(refused) => Err(refused),
            None => Ok(identity),
        }
    }

    /// Takes note of what a connection has sent, by all processes.
    pub fn learn(&self, connection_id: &str, sent: Sent, now: Timestamp) {
        self.with(connection_id, |session| session.pace.learn(sent, now, self.per_second));
    }

    async fn identity(&self, connection_id: &str) -> Result<Option<Identity>, Refused> {
        if let Some(identity) = self.with(connection_id, |session| session.identity.clone()) {
            return Ok(identity);
        }
        let identity = if self.is_guarded {
            let found = self.connections.identity(connection_id).await.map_err(Refused::Unknown)?;
            // One without an end was opened while everybody was let in.
            let found = found.filter(|identity| identity.expires_at.is_some());
            if found.is_none() {
                // Its client gets to know why, and the sweep closes it.
                self.connections.condemn(connection_id).await.map_err(Refused::Unknown)?;
            }
            found
        } else {
            Some(Identity::default())
        };
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        let session = Session { identity: identity.clone(), pace: Pace::default() };
        known.insert(connection_id.to_owned(), session);
        Ok(identity)
    }

    fn with<T>(&self, connection_id: &str, look: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.known().get_mut(connection_id).map(look)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What this process has learned of how fast frames come on a connection.
#[derive(Default)]
struct Pace {
    /// Until when frames are refused, in Unix milliseconds.
    refused_until: i64,
    is_flood: bool,
}

impl Pace {
    /// Takes note of what all processes together have seen.
    fn learn(&mut self, sent: Sent, now: Timestamp, per_second: u32) {
        let Sent::Frames(sent, at) = sent else {
            // It is closed, and all that still comes was under way. Until the row is forgotten, that is enough.
            self.refused_until = now.millis() + UNDER_WAY_MS;
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^52")]
        let drained = (now.millis() - at.millis()).max(0) as f64 / 1000.0;
        let seconds = sent / f64::from(per_second) - drained;
        #[expect(clippy::cast_possible_truncation, reason = "some seconds")]
        let wait = ((seconds - BURST_SECONDS).max(0.0) * 1000.0) as i64;
        self.refused_until = now.millis() + wait;
        self.is_flood = seconds > FLOOD_SECONDS;
    }

    /// A flood is said once for each time that it is learned of: to close a connection once is enough.
    fn verdict(&mut self, now: Timestamp) -> Option<Refused> {
        let left = self.refused_until - now.millis();
        let retry_after_seconds = u32::try_from(left.max(0)).unwrap_or(u32::MAX).div_ceil(1000);
        let is_flood = std::mem::take(&mut self.is_flood);
        (left > 0).then_some(Refused::TooFast { retry_after_seconds, is_flood })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 64;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn what_all_have_sent_decides() {
        let learned = |sent: f64| {
            let mut pace = Pace::default();
            // A second ago, so that a second's worth has drained away.
            pace.learn(Sent::Frames(f64::from(RATE) * (sent + 1.0), at(-1_000)), at(0), RATE);
            pace
        };
        let verdict = |pace: &mut Pace, now| match pace.verdict(at(now)) {
            Some(Refused::TooFast { retry_after_seconds, is_flood }) => Some((retry_after_seconds, is_flood)),
            _ => None,
        };
        assert_eq!(verdict(&mut learned(BURST_SECONDS), 0), None);
        let mut fast = learned(BURST_SECONDS + 1.5);
        assert_eq!(verdict(&mut fast, 0), Some((2, false)));
        assert_eq!(verdict(&mut fast, 1_000), Some((1, false)));
        assert_eq!(verdict(&mut fast, 1_500), None);
        let mut flood = learned(FLOOD_SECONDS + 0.1);
        assert_eq!(verdict(&mut flood, 0), Some((9, true)));
        assert_eq!(verdict(&mut flood, 0), Some((9, false)));
        flood.learn(Sent::TooMany, at(0), RATE);
        assert_eq!(verdict(&mut flood, 59_000), Some((1, false)));
    }
}
