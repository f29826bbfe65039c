//! Tokens: JSON Web Tokens of an OpenID issuer, or signed with a secret that the team shares (contract §7).

use jsonwebtoken::{
    Algorithm, DecodingKey, TokenData, Validation, decode, decode_header,
    errors::{Error as JwtError, ErrorKind},
};
use serde_json::{Map, Value};

use super::signatures;
use crate::{
    model::{Identity, Timestamp},
    service::issuer::{Issuer, IssuerError},
};

/// How far the clock of whoever made a token may be from ours, in seconds.
pub const LEEWAY_SECONDS: u64 = 60;

/// Why a token gets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is bad, for this reason, which is for the log: a stranger is told nothing.
    #[error("token refused: {0}")]
    Refused(&'static str),
    /// Whether it is good can't be told now.
    #[error("token not checked")]
    Unchecked(#[from] IssuerError),
}

/// Who signs.
enum Signer {
    Issuer(Box<Issuer>),
    Secrets(Vec<DecodingKey>),
}

/// What makes a token a good one.
pub struct Tokens {
    signer: Signer,
    validation: Validation,
    owner_claim: String,
}

impl Tokens {
    /// Those of `issuer` for `audience`, signed by RS256 or ES256.
    pub fn of_issuer(issuer: Issuer, audience: &str, owner_claim: String) -> Self {
        let mut validation = validation(owner_claim.as_str(), Some(audience));
        validation.set_issuer(&[issuer.url()]);
        validation.required_spec_claims.insert("iss".to_owned());
        Self { signer: Signer::Issuer(Box::new(issuer)), validation, owner_claim }
    }

    /// Those signed with any of `secrets` by HS256; for `audience`, or for none.
    pub fn of_secrets(secrets: &[&str], audience: Option<&str>, owner_claim: String) -> Self {
        let mut validation = validation(owner_claim.as_str(), audience);
        validation.algorithms = vec![Algorithm::HS256];
        let keys = secrets.iter().map(|secret| DecodingKey::from_secret(secret.as_bytes()));
        Self { signer: Signer::Secrets(keys.collect()), validation, owner_claim }
    }

    /// Who the bearer of `token` is.
    pub async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let claims = match &self.signer {
            Signer::Secrets(keys) => self.decode_by_any(token, keys),
            Signer::Issuer(issuer) => {
                let header = decode_header(token).map_err(|error| refused(&error))?;
                // Before anybody is asked for a key that couldn't be used.
                if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
                    return Err(TokenError::Refused("wrong algorithm"));
                }
                let key = issuer.key(header.kid.as_deref(), Timestamp::now()).await?;
                let key = key.ok_or(TokenError::Refused("unknown key"))?;
                // What the key is for decides, never what the token claims to be signed by: else a public key could be
                // passed off as a shared secret.
                let validation = Validation { algorithms: vec![key.algorithm], ..self.validation.clone() };
                decode(token, &key.key, &validation)
            }
        };
        let claims: Map<String, Value> = claims.map_err(|error| refused(&error))?.claims;
        let owner = claims.get(&self.owner_claim).and_then(Value::as_str);
        let owner = owner.and_then(|owner| owner.parse().ok()).ok_or(TokenError::Refused("no owner"))?;
        let expires = claims.get("exp").and_then(Value::as_f64).ok_or(TokenError::Refused("no expiry"))?;
        let identity = Identity { owner, expires_at: Some(end_of(expires)) };
        // To the millisecond, as frames and the sweep will ask: the crate counts whole seconds.
        if identity.has_expired(Timestamp::now()) {
            Err(TokenError::Refused("expired"))
        } else {
            Ok(identity)
        }
    }

    /// By the first of `keys` that made its signature.
    fn decode_by_any(
        &self,
        token: &str,
        keys: &[DecodingKey],
    ) -> Result<TokenData<Map<String, Value>>, JwtError> {
        let mut outcome = Err(ErrorKind::InvalidSignature.into());
        for key in keys {
            outcome = decode(token, key, &self.validation);
            match &outcome {
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                _ => break,
            }
        }
        outcome
    }
}

fn validation(owner_claim: &str, audience: Option<&str>) -> Validation {
    signatures::install();
    let mut validation = Validation { leeway: LEEWAY_SECONDS, validate_nbf: true, ..Validation::default() };
    validation.set_required_spec_claims(&["exp", owner_claim]);
    if let Some(audience) = audience {
        validation.set_audience(&[audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    validation
}

/// The end of a token's life, with the leeway; no later than MongoDB and RFC 3339 can write it.
fn end_of(expires: f64) -> Timestamp {
    const LAST: f64 = 253_402_300_799.0; // 9999-12-31T23:59:59Z
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds in 0..=LAST")]
    let seconds = (expires + LEEWAY_SECONDS as f64).clamp(0.0, LAST) as i64;
    Timestamp::from_millis(seconds * 1000)
}

/// Of the crate's error only the kind, since it may hold a piece of the token.
fn refused(error: &JwtError) -> TokenError {
    TokenError::Refused(match error.kind() {
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not valid yet",
        ErrorKind::InvalidSignature => "wrong signature",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::InvalidAlgorithm => "wrong algorithm",
        ErrorKind::MissingRequiredClaim(_) => "claim missing",
        _ => "malformed",
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::hmac;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "a secret of at least 32 characters";

    fn signed(header: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn in_seconds(seconds: i64) -> i64 {
        Timestamp::now().millis() / 1000 + seconds
    }

    async fn verify_for(audience: Option<&str>, claims: &Value) -> Result<Identity, String> {
        let tokens = Tokens::of_secrets(&[SECRET], audience, "sub".to_owned());
        let token = signed(&json!({"alg": "HS256", "typ": "JWT"}), claims, SECRET);
        tokens.verify(&token).await.map_err(|error| error.to_string())
    }

    async fn verify(claims: &Value) -> Result<Identity, String> {
        verify_for(None, claims).await
    }

    #[tokio::test]
    async fn a_good_token_names_its_owner_and_its_end() {
        let expires = in_seconds(60);
        let identity = verify(&json!({"sub": "alice", "exp": expires})).await.unwrap();
        assert_eq!(identity.owner.as_str(), "alice");
        assert_eq!(identity.expires_at, Some(Timestamp::from_millis((expires + 60) * 1000)));
    }

    #[tokio::test]
    async fn clocks_may_differ_by_a_minute() {
        let soon = in_seconds(1000);
        assert!(verify(&json!({"sub": "a", "exp": in_seconds(-50)})).await.is_ok());
        assert_eq!(
            verify(&json!({"sub": "a", "exp": in_seconds(-70)})).await.unwrap_err(),
            "token refused: expired"
        );
        assert!(verify(&json!({"sub": "a", "exp": soon, "nbf": in_seconds(50)})).await.is_ok());
        let early = verify(&json!({"sub": "a", "exp": soon, "nbf": in_seconds(70)})).await;
        assert_eq!(early.unwrap_err(), "token refused: not valid yet");
    }

    #[tokio::test]
    async fn claims_that_are_needed_must_be_there_and_be_what_they_should() {
        let soon = in_seconds(60);
        for (claims, reason) in [
            (json!({"sub": "a"}), "claim missing"),
            (json!({"sub": "a", "exp": "soon"}), "claim missing"),
            (json!({"exp": soon}), "claim missing"),
            (json!({"sub": 5, "exp": soon}), "claim missing"),
            (json!({"sub": "", "exp": soon}), "no owner"),
            (json!({"sub": "default", "exp": soon}), "no owner"),
            (json!({"sub": "a", "exp": soon, "aud": "others"}), "wrong audience"),
        ] {
            assert_eq!(verify(&claims).await.unwrap_err(), format!("token refused: {reason}"), "{claims}");
        }
    }

    #[tokio::test]
    async fn an_audience_that_is_configured_must_be_among_the_tokens() {
        let soon = in_seconds(60);
        for (audience, is_good) in [
            (json!("board"), true),
            (json!(["other", "board"]), true),
            (json!("other"), false),
            (json!([]), false),
            (Value::Null, false),
        ] {
            let claims = json!({"sub": "a", "exp": soon, "aud": audience});
            assert_eq!(verify_for(Some("board"), &claims).await.is_ok(), is_good, "{audience}");
        }
    }

    #[tokio::test]
    async fn the_owner_may_be_in_another_claim() {
        let tokens = Tokens::of_secrets(&[SECRET], None, "tenant".to_owned());
        let claims = json!({"sub": "alice", "tenant": "acme", "exp": in_seconds(60)});
        let token = signed(&json!({"alg": "HS256"}), &claims, SECRET);
        assert_eq!(tokens.verify(&token).await.unwrap().owner.as_str(), "acme");
        let claims = json!({"sub": "alice", "exp": in_seconds(60)});
        assert!(tokens.verify(&signed(&json!({"alg": "HS256"}), &claims, SECRET)).await.is_err());
    }

    #[tokio::test]
    async fn of_several_secrets_each_is_good() {
        let other = "another secret of 32 characters or more";
        let tokens = Tokens::of_secrets(&[other, SECRET], None, "sub".to_owned());
        let claims = json!({"sub": "alice", "exp": in_seconds(60)});
        for secret in [SECRET, other] {
            assert!(tokens.verify(&signed(&json!({"alg": "HS256"}), &claims, secret)).await.is_ok());
        }
        let strange = signed(&json!({"alg": "HS256"}), &claims, "a third one that nobody here has heard of");
        assert_eq!(tokens.verify(&strange).await.unwrap_err().to_string(), "token refused: wrong signature");
        let expired =
            signed(&json!({"alg": "HS256"}), &json!({"sub": "alice", "exp": in_seconds(-90)}), SECRET);
        assert_eq!(tokens.verify(&expired).await.unwrap_err().to_string(), "token refused: expired");
    }

    #[tokio::test]
    async fn no_other_signature_and_no_other_algorithm() {
        let tokens = Tokens::of_secrets(&[SECRET], None, "sub".to_owned());
        let claims = json!({"sub": "alice", "exp": in_seconds(60)});
        let good = signed(&json!({"alg": "HS256"}), &claims, SECRET);
        let (text, _) = good.rsplit_once('.').unwrap();
        let none = signed(&json!({"alg": "none"}), &claims, SECRET);
        for bad in [
            signed(&json!({"alg": "HS256"}), &claims, "another secret of 32 characters or more"),
            signed(&json!({"alg": "HS512"}), &claims, SECRET),
            signed(&json!({"alg": "RS256"}), &claims, SECRET),
            signed(&json!({}), &claims, SECRET),
            format!("{}.", none.rsplit_once('.').unwrap().0),
            none,
            format!("{text}."),
            text.to_owned(),
            good.replace('.', ""),
            format!("{good}x"),
            format!("{good}.x"),
            String::new(),
            "....".to_owned(),
            "字".to_owned(),
        ] {
            assert!(matches!(tokens.verify(&bad).await, Err(TokenError::Refused(_))), "{bad}");
        }
        assert!(tokens.verify(&good).await.is_ok());
    }
}
