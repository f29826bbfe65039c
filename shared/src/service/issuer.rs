//! The public keys of an OpenID issuer, fetched where its discovery document says and kept.
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>

use std::time::Duration;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use reqwest::Client;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Mutex;

use super::http::{self, NoClient};
use crate::model::{Timestamp, describe};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// How old keys get before they are fetched anew: so long is a key that the issuer has withdrawn still taken.
const FRESH: i64 = 60 * 60 * 1000;
/// How old they may get where the issuer can't be reached: tokens that were good stay good through a bad day of his.
const USABLE: i64 = 24 * 60 * 60 * 1000;
/// How long after one new look at the issuer's keys comes the next: whoever sends tokens with made-up key ids must not make
/// this function a flood for the issuer.
const COOLDOWN: i64 = 30 * 1000;

/// The issuer's keys can't be had now.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// It couldn't be talked to, or its answer is no JSON of the right shape.
    #[error("issuer unavailable")]
    Unavailable(#[source] reqwest::Error),
    /// It answered with an error.
    #[error("issuer answered {0}")]
    Refused(u16),
    /// Its discovery document is about somebody else.
    #[error("the discovery document is another issuer's")]
    Stranger,
    /// Its keys are where anybody on the way could exchange them.
    #[error("the issuer's keys are not at an https address")]
    Unprotected,
}

/// A key of the issuer, and the one algorithm that it is for, whatever a token says.
#[derive(Clone)]
pub struct SigningKey {
    /// RS256 or ES256.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

#[derive(Default)]
struct Cache {
    keys: Vec<(Option<String>, SigningKey)>,
    /// When they were fetched, and when they may be asked for again before they are old.
    fetched_at: Option<Timestamp>,
    next_look: i64,
}

/// An OpenID issuer.
pub struct Issuer {
    http: Client,
    url: String,
    cache: Mutex<Cache>,
}

impl Issuer {
    /// The issuer `url`, exactly as it stands in its tokens.
    pub fn new(url: String) -> Result<Self, NoClient> {
        Ok(Self { http: http::connecting_anew(CONNECT_TIMEOUT)?, url, cache: Mutex::default() })
    }

    /// The issuer as it stands in its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key `id`, or the only key if a token names none. `None` where the issuer has no such key.
    ///
    /// Keys are fetched when they are first needed, when they are an hour old, and when a token names one that isn't known:
    /// that is how a new key gets in use at once.
    pub async fn key(&self, id: Option<&str>, now: Timestamp) -> Result<Option<SigningKey>, IssuerError> {
        let mut cache = self.cache.lock().await;
        let age = cache.fetched_at.map(|fetched_at| now.millis() - fetched_at.millis());
        let is_wanted = match age {
            None => true,
            Some(age) => (age >= FRESH || cache.find(id).is_none()) && now.millis() >= cache.next_look,
        };
        if is_wanted {
            // The very first look is followed by another as soon as it is wanted.
            cache.next_look = age.map_or(i64::MIN, |_| now.millis() + COOLDOWN);
            match self.fetch().await {
                Ok(keys) => (cache.keys, cache.fetched_at) = (keys, Some(now)),
                Err(error) if age.is_some_and(|age| age < USABLE) => {
                    tracing::warn!(error = describe(&error), "keys not renewed, the old ones are used");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(cache.find(id).cloned())
    }

    async fn fetch(&self) -> Result<Vec<(Option<String>, SigningKey)>, IssuerError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let discovery = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let discovery: Discovery = self.get(&discovery).await?;
        if discovery.issuer != self.url {
            return Err(IssuerError::Stranger);
        }
        // An issuer on this machine, in a test, has no certificate.
        if self.url.starts_with("https://") && !discovery.jwks_uri.starts_with("https://") {
            return Err(IssuerError::Unprotected);
        }
        let keys: Keys = self.get(&discovery.jwks_uri).await?;
        // Of a kind that isn't known here there may be others in the set, as the standard foresees.
        let keys = keys.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(keys.filter_map(|key| Some((key.common.key_id.clone(), usable(&key)?))).collect())
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, IssuerError> {
        let unavailable = |error: reqwest::Error| IssuerError::Unavailable(error.without_url());
        let response = self.http.get(url).timeout(TIMEOUT).send().await.map_err(unavailable)?;
        if !response.status().is_success() {
            return Err(IssuerError::Refused(response.status().as_u16()));
        }
        response.json().await.map_err(unavailable)
    }
}

impl Cache {
    fn find(&self, id: Option<&str>) -> Option<&SigningKey> {
        match (id, self.keys.as_slice()) {
            (Some(_), keys) => keys.iter().find(|(known, _)| known.as_deref() == id).map(|(_, key)| key),
            (None, [(_, only)]) => Some(only),
            (None, _) => None,
        }
    }
}

/// `key`, if it is one for signatures by RS256 or ES256.
fn usable(key: &Jwk) -> Option<SigningKey> {
    let is_for_signatures = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let (algorithm, named) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let is_for_this = key.common.key_algorithm.is_none_or(|algorithm| algorithm == named);
    let key = DecodingKey::from_jwk(key).ok()?;
    (is_for_signatures && is_for_this).then_some(SigningKey { algorithm, key })
}
