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

/// How long after he failed an issuer is left alone where nothing can be done without him.
const REST: i64 = 5 * 1000;

/// The issuer's keys can't be had now.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// He failed just now, and isn't asked again so soon.
    #[error("issuer failed just now")]
    Resting,
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
    /// Until when he isn't asked where there are no keys to go on with.
    rests_until: i64,
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
            Some(age) if age < USABLE => {
                (age >= FRESH || cache.find(id).is_none()) && now.millis() >= cache.next_look
            }
            _ if now.millis() < cache.rests_until => return Err(IssuerError::Resting),
            _ => true,
        };
        if is_wanted {
            // The very first look is followed by another as soon as it is wanted.
            cache.next_look = age.map_or(i64::MIN, |_| now.millis() + COOLDOWN);
            cache.rests_until = now.millis() + REST;
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex as StdMutex};

    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const T0: i64 = 1_766_534_400_000;

    /// What an issuer on this machine answers, and how often its keys were asked for.
    #[derive(Default)]
    struct Answers {
        keys: Option<Value>,
        issuer: Option<String>,
        looks: usize,
    }

    fn key(id: &str) -> Value {
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": "AAAA", "y": "AAAA"})
    }

    async fn issuer(keys: Value) -> (Issuer, Arc<StdMutex<Answers>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(StdMutex::new(Answers { keys: Some(keys), ..Answers::default() }));
        let (served, base) = (Arc::clone(&answers), url.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let body = {
                    let mut answers = served.lock().unwrap();
                    let issuer = answers.issuer.clone().unwrap_or_else(|| base.clone());
                    if request[..length].starts_with(b"GET /keys ") {
                        answers.looks += 1;
                        answers.keys.as_ref().map(|keys| json!({"keys": keys}))
                    } else {
                        Some(json!({"issuer": issuer, "jwks_uri": format!("{base}/keys")}))
                    }
                };
                let (status, body) = match body {
                    Some(body) => ("200 OK", body.to_string()),
                    None => ("500 Down", String::new()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        (Issuer::new(url).unwrap(), answers)
    }

    async fn knows(issuer: &Issuer, id: &str, at: i64) -> Option<bool> {
        issuer.key(Some(id), Timestamp::from_millis(T0 + at)).await.ok().map(|key| key.is_some())
    }

    #[tokio::test]
    async fn keys_are_fetched_once_an_hour() {
        let (issuer, answers) = issuer(json!([key("a")])).await;
        for at in [0, 1, FRESH - 1] {
            assert_eq!(knows(&issuer, "a", at).await, Some(true));
        }
        assert_eq!(answers.lock().unwrap().looks, 1);
        answers.lock().unwrap().keys = Some(json!([key("b")]));
        // A key that was withdrawn is taken until then, and no longer.
        assert_eq!(knows(&issuer, "a", FRESH).await, Some(false));
        assert_eq!(answers.lock().unwrap().looks, 2);
    }

    #[tokio::test]
    async fn an_unknown_key_is_looked_for_at_once_and_then_only_now_and_then() {
        let (issuer, answers) = issuer(json!([key("a")])).await;
        assert_eq!(knows(&issuer, "a", 0).await, Some(true));
        answers.lock().unwrap().keys = Some(json!([key("a"), key("b")]));
        assert_eq!(knows(&issuer, "b", 1).await, Some(true));
        answers.lock().unwrap().keys = Some(json!([key("a"), key("b"), key("c")]));
        assert_eq!(knows(&issuer, "c", COOLDOWN).await, Some(false));
        assert_eq!(knows(&issuer, "c", COOLDOWN + 1).await, Some(true));
        assert_eq!(answers.lock().unwrap().looks, 3);
    }

    #[tokio::test]
    async fn keys_outlive_a_bad_day_of_their_issuer_and_no_more() {
        let (issuer, answers) = issuer(json!([key("a")])).await;
        assert_eq!(knows(&issuer, "a", 0).await, Some(true));
        answers.lock().unwrap().keys = None;
        assert_eq!(knows(&issuer, "a", USABLE - 1).await, Some(true));
        for at in [USABLE, USABLE + 1, USABLE + REST - 1] {
            assert_eq!(knows(&issuer, "a", at).await, None);
        }
        // One look at the beginning, one in vain, and one more, however many tokens came.
        assert_eq!(answers.lock().unwrap().looks, 3);
        answers.lock().unwrap().keys = Some(json!([key("a")]));
        assert_eq!(knows(&issuer, "a", USABLE + 2 * REST).await, Some(true));
    }

    #[tokio::test]
    async fn only_keys_for_signatures_of_the_two_kinds_are_taken() {
        let mut keys = vec![key("good")];
        let odd = [("use", "enc"), ("alg", "ES384"), ("crv", "P-384"), ("kty", "what"), ("x", "!")];
        for (name, value) in odd {
            let mut other = key(name);
            other[name] = json!(value);
            keys.push(other);
        }
        keys.push(json!({"kty": "oct", "kid": "secret", "k": "AAAA"}));
        let (issuer, _) = issuer(json!(keys)).await;
        assert_eq!(knows(&issuer, "good", 0).await, Some(true));
        for name in odd.map(|(name, _)| name).into_iter().chain(["secret"]) {
            assert_eq!(knows(&issuer, name, 0).await, Some(false), "{name}");
        }
        // The only one that is left needs no name.
        assert!(issuer.key(None, Timestamp::from_millis(T0)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn another_issuers_document_is_not_believed() {
        let (issuer, answers) = issuer(json!([key("a")])).await;
        answers.lock().unwrap().issuer = Some("https://evil.example".to_owned());
        let refused = issuer.key(Some("a"), Timestamp::from_millis(T0)).await;
        assert!(matches!(refused, Err(IssuerError::Stranger)));
        assert_eq!(answers.lock().unwrap().looks, 0);
    }
}
