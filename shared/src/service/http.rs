//! The HTTP client, for AWS and for the vendors alike.
//!
//! The SDK's own client, and reqwest as it comes, each read and parse the platform's root certificates when they are made: a
//! function that talks to three services of AWS and to a vendor did that four times before its first event. Here the roots are
//! compiled in, Mozilla's as the MongoDB driver has them, and a client costs next to nothing.

use std::{sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, header::RETRY_AFTER};
use reqwest::{Body, Client, ClientBuilder, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::model::Timestamp;

/// There can be no client.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client")]
pub enum NoClient {
    /// For want of TLS.
    Tls(#[from] rustls::Error),
    /// For another reason.
    Client(#[from] reqwest::Error),
}

/// A client that keeps its connections, to ask the same services again.
pub fn keeping_connections(connect_timeout: Duration) -> Result<Client, NoClient> {
    client(connect_timeout, usize::MAX)
}

/// A client that makes a connection for each request. One that is kept over a freeze is dead, and a request that is lost on it
/// may or may not have arrived.
pub fn connecting_anew(connect_timeout: Duration) -> Result<Client, NoClient> {
    client(connect_timeout, 0)
}

fn client(connect_timeout: Duration, max_idle: usize) -> Result<Client, NoClient> {
    Ok(builder(connect_timeout)?.pool_max_idle_per_host(max_idle).redirect(Policy::none()).build()?)
}

/// What every client begins with.
pub(super) fn builder(connect_timeout: Duration) -> Result<ClientBuilder, NoClient> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // Named, since which one is rustls' default depends on what else is in the build.
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Client::builder().tls_backend_preconfigured(tls).connect_timeout(connect_timeout))
}

/// When the service wants to be asked again: `Retry-After` as seconds or a date (RFC 9110 §10.2.3), or OpenAI's
/// `retry-after-ms`, as the time from now.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok();
    if let Some(milliseconds) = number("retry-after-ms") {
        return Duration::try_from_secs_f64(milliseconds / 1000.0).ok();
    }
    if let Some(seconds) = number(RETRY_AFTER.as_str()) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new();
    let date = date.parse_timestamp(text(RETRY_AFTER.as_str())?).ok()?;
    let wait = date.as_millisecond() - Timestamp::now().millis();
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or_default()))
}

/// The client as the SDK takes it. The SDK's time-outs are kept by the SDK, but for that of connecting.
#[derive(Clone, Debug)]
pub struct SdkClient(pub Client);

impl HttpClient for SdkClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SdkClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(Body::wrap).try_into();
            let request = request.map_err(|error: reqwest::Error| ConnectorError::user(error.into()))?;
            // Passing trouble, as far as the SDK may try again: all that we ask of it may be asked twice.
            let answer = client.execute(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            let answer = http::Response::<Body>::from(answer).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_back_is_seconds_or_a_date() {
        let of = |value: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]));
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(of("-1"), None);
        assert_eq!(of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(of("Fri, 31 Dec 2100 23:59:59 GMT").unwrap() > Duration::from_secs(1_000_000_000));
        assert_eq!(of("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
