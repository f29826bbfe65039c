//! Who is let in, and as whom (contract §7).

use lambda_http::Request;

use super::{
    rest::{self, RestError},
    tokens::{TokenError, Tokens},
};
use crate::model::{Identity, Owner};

/// Who is let in.
pub enum Access {
    /// Everybody, as the one owner.
    Open,
    /// Whoever has a good token, as the owner that it names.
    Guarded(Box<Tokens>),
}

/// Why somebody isn't let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no token.
    #[error("no token")]
    Missing,
    /// There is one, but it gets nobody in.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Access {
    /// Who the bearer of `token` is.
    pub async fn admit(&self, token: Option<&str>) -> Result<Identity, AccessError> {
        match (self, token) {
            (Self::Open, _) => Ok(Identity::default()),
            (Self::Guarded(tokens), Some(token)) => Ok(tokens.verify(token).await?),
            (Self::Guarded(_), None) => Err(AccessError::Missing),
        }
    }

    /// Who sends `request`, by its `Authorization` header.
    pub async fn owner(&self, request: &Request) -> Result<Owner, RestError> {
        Ok(self.admit(bearer_token(request)).await?.owner)
    }
}

/// The token of `Authorization: Bearer <token>`; the name of the scheme may be written in any case (RFC 9110 §11.1).
fn bearer_token(request: &Request) -> Option<&str> {
    let (scheme, token) = rest::header(request, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_ascii())
}

/// 401, or 503 where the token can't be checked now
impl From<AccessError> for RestError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Token(TokenError::Unchecked(_)) => Self::unavailable_because(error),
            AccessError::Missing => Self::unauthorized(),
            AccessError::Token(TokenError::Refused(reason)) => {
                tracing::info!(reason, "token refused");
                Self::unauthorized()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, http};

    use super::*;

    #[test]
    fn a_token_is_what_follows_bearer() {
        let token = |header: &str| {
            let request = http::Request::builder().header("authorization", header).body(Body::Empty).unwrap();
            bearer_token(&request).map(str::to_owned)
        };
        assert_eq!(token("Bearer a.b.c"), Some("a.b.c".to_owned()));
        assert_eq!(token("bearer  a.b.c "), Some("a.b.c".to_owned()));
        assert_eq!(token("Basic a.b.c"), None);
        assert_eq!(token("Bearer"), None);
        assert_eq!(token(""), None);
    }
}
