//! The clock of a client's device, which may be wrong, and be set.

use fastrand::Rng;
use jiff::Timestamp;

/// A `timestamp` more than 5 minutes ahead of the server's is refused (contract §6): no clock here is as wrong as that.
const MOST_MS: i64 = 4 * 60 * 1000;

/// A device's clock.
pub struct Clock {
    offset_ms: i64,
    last: i64,
}

impl Clock {
    /// One that is a little wrong.
    pub fn new(random: &mut Rng) -> Self {
        Self { offset_ms: random.i64(-MOST_MS / 8..MOST_MS / 8), last: 0 }
    }

    /// Somebody sets it.
    pub fn jump(&mut self, random: &mut Rng) {
        self.offset_ms = random.i64(-MOST_MS..MOST_MS);
    }

    /// The `timestamp` of the next frame: later than all before it, as contract §6 asks of clients.
    pub fn stamp(&mut self) -> i64 {
        self.last = (Timestamp::now().as_millisecond() + self.offset_ms).max(self.last + 1);
        self.last
    }
}
