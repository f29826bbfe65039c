use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{OwnerKey, Timestamp};

/// What makes the address of a picture a signed one: `owner=<key>&expires=<Unix seconds>&signature=<base64url>`, in this order.
/// Whether the signature is right is not known here: that takes the secret, see `edge::addresses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedQuery {
    /// Whose picture it is.
    pub owner: OwnerKey,
    /// Until when the address is good; whole seconds.
    pub expires_at: Timestamp,
    /// HMAC-SHA256 over all of the address.
    pub signature: [u8; 32],
}

/// Not the query of a signed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the query of a signed address")]
pub struct ParseSignedQueryError;

impl FromStr for SignedQuery {
    type Err = ParseSignedQueryError;

    fn from_str(query: &str) -> Result<Self, Self::Err> {
        let read = || {
            let rest = query.strip_prefix("owner=")?;
            let (owner, rest) = rest.split_once("&expires=")?;
            let (expires, signature) = rest.split_once("&signature=")?;
            // As it was written: no sign, no leading zero.
            let seconds = u32::from_str(expires).ok().filter(|seconds| seconds.to_string() == expires)?;
            Some(Self {
                owner: owner.parse().ok()?,
                expires_at: Timestamp::from_millis(i64::from(seconds) * 1000),
                signature: URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?,
            })
        };
        read().ok_or(ParseSignedQueryError)
    }
}

impl fmt::Display for SignedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (owner, expires) = (&self.owner, self.expires_at.millis() / 1000);
        write!(f, "owner={owner}&expires={expires}&signature={}", URL_SAFE_NO_PAD.encode(self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_survives_its_text_and_nothing_else_is_one() {
        let query = SignedQuery {
            owner: "default".parse().unwrap(),
            expires_at: Timestamp::from_millis(1_766_534_400_000),
            signature: [7; 32],
        };
        let text = query.to_string();
        assert_eq!(text.parse(), Ok(query));
        let signature = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        assert_eq!(text, format!("owner=default&expires=1766534400&signature={signature}"));
        for bad in [
            "",
            "t=1",
            "owner=default&expires=1766534400",
            &text[1..],
            &format!("{text}&x=1"),
            &text.replace("expires=1", "expires=+1"),
            &text.replace("expires=1", "expires=01"),
            &text.replace("expires=1", "expires=-1"),
            &text.replace("owner=default", "owner=../x"),
        ] {
            assert_eq!(bad.parse::<SignedQuery>(), Err(ParseSignedQueryError), "{bad}");
        }
    }
}
