//! HTTP to the outside, to AWS and to the vendors alike.
//!
//! The SDK and reqwest each bring a client of their own, and each of those reads and parses the platform's root certificates
//! when it is made: a function that talks to three services of AWS and to a vendor did that four times before its first
//! event. This one has the roots compiled in, Mozilla's as the MongoDB driver has them, and costs next to nothing to make.

use std::{sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect},
    rt::{TokioExecutor, TokioTimer},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

/// No TLS can be had.
#[derive(Debug, thiserror::Error)]
#[error("no TLS")]
pub struct TlsError(#[from] rustls::Error);

/// A request failed, or its answer is of no use. None of it shows an address, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It was surely not sent: there is no such address, or nobody there.
    #[error("not connected")]
    NotConnected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may have arrived.
    #[error("no answer")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may have arrived.
    #[error("no answer in time")]
    Late,
    /// The answer is not the JSON that it should be.
    #[error("unusable answer")]
    Unusable(#[source] serde_json::Error),
}

/// A client; clones share its connections.
#[derive(Clone, Debug)]
pub struct Http(Client<HttpsConnector<connect::HttpConnector>, SdkBody>);

impl Http {
    /// A client that keeps its connections, to ask the same services again.
    pub fn keeping(connect_timeout: Duration) -> Result<Self, TlsError> {
        Self::new(connect_timeout, usize::MAX)
    }

    /// A client that makes a connection for each request. One that is kept over a freeze is dead, and a request that is lost
    /// on it may or may not have arrived.
    pub fn connecting_anew(connect_timeout: Duration) -> Result<Self, TlsError> {
        Self::new(connect_timeout, 0)
    }

    fn new(connect_timeout: Duration, max_idle: usize) -> Result<Self, TlsError> {
        let mut tcp = connect::HttpConnector::new();
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        // Named, since which one is rustls' default depends on what else is in the build.
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let connector = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(crypto)?;
        let connector = connector.https_or_http().enable_http1().wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_max_idle_per_host(max_idle);
        Ok(Self(client.build(connector)))
    }

    /// Posts `body` as JSON, with `key` as the bearer. The answer, all of it, has to come within `time`.
    pub async fn post(
        &self,
        url: &str,
        key: &str,
        body: &impl Serialize,
        time: Duration,
    ) -> Result<Answer, HttpError> {
        // What is sent has only string keys and finite numbers, so that there is nothing in it that could fail.
        let body = serde_json::to_string(body).unwrap_or_default();
        let request =
            Request::builder().method(Method::POST).header(header::CONTENT_TYPE, "application/json");
        self.send(request, url, key, body.into(), time).await
    }

    /// Gets `url`, with `key` as the bearer. The answer, all of it, has to come within `time`.
    pub async fn get(&self, url: &str, key: &str, time: Duration) -> Result<Answer, HttpError> {
        self.send(Request::builder(), url, key, SdkBody::empty(), time).await
    }

    async fn send(
        &self,
        request: http::request::Builder,
        url: &str,
        key: &str,
        body: SdkBody,
        time: Duration,
    ) -> Result<Answer, HttpError> {
        let request = request.uri(url).header(header::AUTHORIZATION, format!("Bearer {key}")).body(body);
        let request = request.map_err(|error| HttpError::NotConnected(error.into()))?;
        let deadline = Instant::now() + time;
        match timeout_at(deadline, self.0.request(request)).await {
            Ok(Ok(answer)) => Ok(Answer { answer: answer.map(SdkBody::from_body_1_x), deadline }),
            Ok(Err(error)) if error.is_connect() => Err(HttpError::NotConnected(error.into())),
            Ok(Err(error)) => Err(HttpError::Failed(error.into())),
            Err(_) => Err(HttpError::Late),
        }
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Answer {
    answer: Response<SdkBody>,
    deadline: Instant,
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.answer.status()
    }

    /// Its body, which is JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, HttpError> {
        let body = timeout_at(self.deadline, self.answer.into_body().collect()).await;
        let body = body.map_err(|_| HttpError::Late)?.map_err(HttpError::Failed)?;
        serde_json::from_slice(&body.to_bytes()).map_err(HttpError::Unusable)
    }
}

/// The SDK's time-outs are kept by the SDK, but for the one that [`Http`] is made with.
impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Passing trouble, as far as the SDK may try again: all that we ask of it may be asked twice.
            let answer = client.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            let answer = HttpResponse::try_from(answer.map(SdkBody::from_body_1_x));
            answer.map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
