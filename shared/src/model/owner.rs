use std::fmt;

use serde::{Deserialize, Serialize};

/// Whom a workspace, a picture or a connection belongs to. Every document and every S3 key carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// The text under which the owner is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The owner that was stored as `text`.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

/// Without authentication there is one owner (the single-user MVP of the design).
impl Default for Owner {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
