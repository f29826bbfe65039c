use std::fmt;

use serde::{Serialize, Serializer};

/// A moment in whole Unix milliseconds, the precision of the contract and of MongoDB's dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The current time of this machine's clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }
}

/// RFC 3339, UTC, always three digits of milliseconds (contract §1).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Out of jiff's range (years -9999 to 9999) is out of the range of anything that a clock here shows.
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{moment:.3}")
    }
}

/// As [`Display`](fmt::Display) writes it.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_shows_three_digits_of_milliseconds() {
        assert_eq!(Timestamp::from_millis(1_766_534_400_000).to_string(), "2025-12-24T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_766_534_400_120).to_string(), "2025-12-24T00:00:00.120Z");
    }
}
