//! Who is let in, by the rules of each vendor.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use super::steering::Trouble;

/// The key of the simulated Ark.
pub const ARK_KEY: &str = "simulated-ark-key";
/// The access key and the secret key of the simulated Kling, with a colon between them.
pub const KLING_KEY: &str = "simulated-access-key:simulated-secret-key";
/// The key of the simulated Runway.
pub const RUNWAY_KEY: &str = "key_simulated";

/// The version of Runway's API, which every request has to name.
const RUNWAY_VERSION: &str = "2024-11-06";
/// How long a token of Kling's may live: half an hour as documented, and a little for clocks that differ.
const MAX_TOKEN_SECONDS: i64 = 1830;

/// What follows `Bearer` in the `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

pub(super) fn ark(headers: &HeaderMap) -> Result<(), Trouble> {
    match bearer(headers) {
        Some(ARK_KEY) => Ok(()),
        _ => Err(Trouble::with("AuthenticationError", "The API key in the request is missing or invalid.")),
    }
}

pub(super) fn runway(headers: &HeaderMap) -> Result<(), Trouble> {
    if bearer(headers) != Some(RUNWAY_KEY) {
        return Err(Trouble::new("401"));
    }
    match headers.get("x-runway-version").map(|version| version.as_bytes()) {
        Some(version) if version == RUNWAY_VERSION.as_bytes() => Ok(()),
        Some(_) => Err(Trouble::with("400", "The API version in X-Runway-Version is not supported.")),
        None => Err(Trouble::with("400", "The header X-Runway-Version is required.")),
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    exp: i64,
    nbf: i64,
}

/// Kling takes no key but a token that is signed with one. `now` is in Unix seconds.
pub(super) fn kling(headers: &HeaderMap, now: i64) -> Result<(), Trouble> {
    if !headers.contains_key(AUTHORIZATION) {
        return Err(Trouble::new("1001"));
    }
    let claims = signed_claims(bearer(headers).unwrap_or_default())?;
    let (access_key, _) = KLING_KEY.split_once(':').unwrap_or_default();
    if claims.iss != access_key {
        return Err(Trouble::with("1000", "there is no such access key"));
    }
    if claims.nbf > now {
        return Err(Trouble::new("1003"));
    }
    if claims.exp <= now {
        return Err(Trouble::new("1004"));
    }
    if claims.exp > now + MAX_TOKEN_SECONDS {
        return Err(Trouble::with("1000", "the token lives too long"));
    }
    Ok(())
}

/// What is claimed under the right signature. Times are looked at by the caller, whose clock tests can move.
fn signed_claims(token: &str) -> Result<Claims, Trouble> {
    let (_, secret_key) = KLING_KEY.split_once(':').unwrap_or_default();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let token = decode::<Claims>(token, &DecodingKey::from_secret(secret_key.as_bytes()), &validation);
    match token {
        Ok(token) if token.header.typ.as_deref() == Some("JWT") => Ok(token.claims),
        Ok(_) => Err(Trouble::with("1002", "the token's typ is not JWT")),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {
            Err(Trouble::with("1000", "the signature of the token is wrong"))
        }
        Err(error) => Err(Trouble::with("1002", format!("the token is malformed: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    const NOW: i64 = 1_790_000_000;

    fn code(authorization: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(text) = authorization {
            headers.insert(AUTHORIZATION, text.parse().unwrap());
        }
        kling(&headers, NOW).err().map(|trouble| trouble.code)
    }

    fn token(header: &Header, claims: &Value, secret: &str) -> String {
        format!("Bearer {}", encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap())
    }

    fn code_of(claims: &Value) -> Option<String> {
        code(Some(&token(&Header::new(Algorithm::HS256), claims, "simulated-secret-key")))
    }

    #[test]
    fn kling_takes_only_a_token_of_now() {
        let claims = json!({"iss": "simulated-access-key", "exp": NOW + 1800, "nbf": NOW - 5});
        let with = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            code_of(&claims)
        };
        assert_eq!(code_of(&claims), None);
        assert_eq!(code(None).as_deref(), Some("1001"));
        assert_eq!(code(Some(&format!("Bearer {KLING_KEY}"))).as_deref(), Some("1002"));
        assert_eq!(code(Some("Basic x")).as_deref(), Some("1002"));
        assert_eq!(with("nbf", json!(NOW + 1)).as_deref(), Some("1003"));
        assert_eq!(with("exp", json!(NOW)).as_deref(), Some("1004"));
        assert_eq!(with("exp", json!(NOW + 1831)).as_deref(), Some("1000"));
        assert_eq!(with("exp", json!("soon")).as_deref(), Some("1002"));
        assert_eq!(with("iss", json!("somebody")).as_deref(), Some("1000"));
        let header = Header::new(Algorithm::HS256);
        assert_eq!(code(Some(&token(&header, &claims, "another"))).as_deref(), Some("1000"));
        let untyped = Header { typ: None, ..header };
        assert_eq!(code(Some(&token(&untyped, &claims, "simulated-secret-key"))).as_deref(), Some("1002"));
        let other = Header::new(Algorithm::HS512);
        assert_eq!(code(Some(&token(&other, &claims, "simulated-secret-key"))).as_deref(), Some("1002"));
    }
}
