use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Timestamp, hex};

/// The one owner of a deployment without authentication (the single-user MVP of the design).
const SINGLE: &str = "default";
/// As many as OpenID allows a subject; <https://openid.net/specs/openid-connect-core-1_0.html#IDToken>.
const MAX_CHARS: usize = 255;

/// Whom a workspace, a picture or a connection belongs to. Every document carries it, and every S3 key its [`OwnerKey`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

/// The text is nobody's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an owner")]
pub struct ParseOwnerError;

/// The owner that a token names: 1 to 255 characters, none of them a control character.
///
/// Not `default`: that is the owner of what was made before authentication was switched on, and whoever can choose a name for
/// himself must not get that by choosing it.
impl FromStr for Owner {
    type Err = ParseOwnerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_possible =
            (1..=MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if is_possible && text != SINGLE { Ok(Self(text.to_owned())) } else { Err(ParseOwnerError) }
    }
}

impl Owner {
    /// The text under which the owner is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The owner that was stored as `text`.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The owner as keys and addresses show it.
    pub fn key(&self) -> OwnerKey {
        match self.0.as_str() {
            SINGLE => OwnerKey(SINGLE.to_owned()),
            name => OwnerKey(hex(&Sha256::digest(name)[..OwnerKey::BYTES])),
        }
    }
}

/// Without authentication there is one owner.
impl Default for Owner {
    fn default() -> Self {
        Self(SINGLE.to_owned())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is asking, and until when that is taken for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The owner.
    pub owner: Owner,
    /// From when on the token that said so is good no more, differences of clocks allowed for. Without authentication there is
    /// no such end.
    pub expires_at: Option<Timestamp>,
}

impl Identity {
    /// Whether the token is good no more at `now`.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// An owner in S3 keys and in addresses of pictures: 32 hexadecimal digits of a hash, or `default`. The name itself could be a
/// mail address, which is nobody's business, or hold a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerKey(String);

impl OwnerKey {
    const BYTES: usize = 16;
}

impl FromStr for OwnerKey {
    type Err = ParseOwnerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hash =
            text.len() == 2 * Self::BYTES && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash || text == SINGLE { Ok(Self(text.to_owned())) } else { Err(ParseOwnerError) }
    }
}

impl fmt::Display for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_anybody_but_the_owner_of_what_was_open() {
        for good in ["alice", "auth0|5f7c", "a@b.example", "字", &"x".repeat(255)] {
            assert_eq!(good.parse::<Owner>().unwrap().as_str(), good);
        }
        for bad in ["", "default", "a\nb", "a\0", &"x".repeat(256)] {
            assert_eq!(bad.parse::<Owner>(), Err(ParseOwnerError), "{bad:?}");
        }
    }

    #[test]
    fn a_key_says_nothing_of_the_name_and_leads_nowhere_else() {
        let key = "../../a@b.example".parse::<Owner>().unwrap().key().to_string();
        assert_eq!(key.len(), 32);
        assert_eq!(key.parse::<OwnerKey>().unwrap().to_string(), key);
        assert_ne!(key, "a@b.example".parse::<Owner>().unwrap().key().to_string());
        assert_eq!(Owner::default().key().to_string(), "default");
        for bad in ["", "..", "DEFAULT", &"A".repeat(32), &"a".repeat(31)] {
            assert!(bad.parse::<OwnerKey>().is_err(), "{bad}");
        }
    }
}
