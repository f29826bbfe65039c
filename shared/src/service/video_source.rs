//! A finished video where the vendor has it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::time::timeout;

use super::{
    http::{self, NoClient},
    public_address::{NotPublic, PublicOnly},
};

/// The largest video that is copied.
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const MAX_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the vendor may say nothing while it answers.
const SILENCE: Duration = Duration::from_secs(20);
/// By which an MP4 is known, after the length of its first box (ISO/IEC 14496-12 §4.3).
const MP4: &[u8] = b"ftyp";
const MP4_AT: usize = 4;

/// There is no video to be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There never will be: to ask again is of no use.
    #[error("unusable video: {0}")]
    Unusable(String),
    /// It isn't there, or not yet everywhere where the vendor has it.
    #[error("no video there: {0}")]
    Absent(StatusCode),
    /// There is none now.
    #[error("{0}")]
    Unavailable(String),
}

impl SourceError {
    fn unusable(why: &str) -> Self {
        Self::Unusable(why.to_owned())
    }

    fn silent() -> Self {
        Self::Unavailable("the vendor says nothing".to_owned())
    }

    /// The address is left out: whoever has it has the video.
    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if cause.is::<NotPublic>() {
                return Self::Unusable(NotPublic.to_string());
            }
            source = cause.source();
        }
        let why = crate::model::describe(&error);
        if error.is_redirect() || error.is_builder() { Self::Unusable(why) } else { Self::Unavailable(why) }
    }
}

/// Where vendors have videos.
#[derive(Clone, Debug)]
pub struct VideoSource {
    http: Client,
    guard: PublicOnly,
}

/// A video that has begun to come.
pub struct Incoming {
    first: Bytes,
    response: Response,
}

impl VideoSource {
    /// On the internet, and on the host of `vendor_url`.
    pub fn new(vendor_url: &str) -> Result<Self, NoClient> {
        let guard = PublicOnly::and_host_of(vendor_url);
        let at_redirect = guard.clone();
        let redirects = redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                return attempt.error("too many redirects");
            }
            match at_redirect.check(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(not_public) => attempt.error(not_public),
            }
        });
        let client = http::builder(CONNECT_TIMEOUT)?
            .redirect(redirects)
            // The vendor's address lets whoever has it in.
            .referer(false)
            .dns_resolver(guard.clone())
            // A proxy would look names up by itself.
            .no_proxy()
            .build()?;
        Ok(Self { http: client, guard })
    }

    /// Opens the video at `url`: it is one, by its first bytes, and not too large, by its length.
    pub async fn open(&self, url: &str) -> Result<Incoming, SourceError> {
        let url = url.parse().map_err(|_| SourceError::unusable("its address is none"))?;
        self.guard.check(&url).map_err(|not_public| SourceError::Unusable(not_public.to_string()))?;
        let answer = timeout(SILENCE, self.http.get(url).send()).await.map_err(|_| SourceError::silent())?;
        let mut response = answer.map_err(SourceError::of)?;
        match response.status() {
            StatusCode::OK => {}
            status
                if status.is_server_error()
                    || matches!(
                        status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
                    ) =>
            {
                return Err(SourceError::Unavailable(status.to_string()));
            }
            status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) => {
                return Err(SourceError::Absent(status));
            }
            status => return Err(SourceError::Unusable(status.to_string())),
        }
        if response.content_length().is_some_and(|length| length > MAX_BYTES) {
            return Err(SourceError::unusable("too large"));
        }
        let mut first = Bytes::new();
        while first.len() < MP4_AT + MP4.len() {
            let Some(chunk) = next(&mut response).await? else { break };
            first = if first.is_empty() { chunk } else { [first, chunk].concat().into() };
        }
        if first.get(MP4_AT..MP4_AT + MP4.len()) != Some(MP4) {
            return Err(SourceError::unusable("not an MP4"));
        }
        Ok(Incoming { first, response })
    }
}

/// The time is of waiting for the vendor alone, and not of what is done with what has come.
async fn next(response: &mut Response) -> Result<Option<Bytes>, SourceError> {
    timeout(SILENCE, response.chunk()).await.map_err(|_| SourceError::silent())?.map_err(SourceError::of)
}

impl Incoming {
    /// The video, as it comes.
    pub fn chunks(self) -> impl Stream<Item = Result<Bytes, SourceError>> {
        let state = (Some(self.first), self.response, 0_u64);
        stream::try_unfold(state, |(first, mut response, mut size)| async move {
            let chunk = match first {
                Some(first) => Some(first),
                None => next(&mut response).await?,
            };
            let Some(chunk) = chunk else { return Ok(None) };
            size += chunk.len() as u64;
            if size > MAX_BYTES {
                return Err(SourceError::unusable("too large"));
            }
            Ok(Some((chunk, (None, response, size))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_public_is_not_asked() {
        let source = VideoSource::new("").unwrap();
        for url in
            ["https://localhost:1/v.mp4", "https://127.0.0.1:1/v.mp4", "http://vendor.example/v.mp4", "v.mp4"]
        {
            let refused = source.open(url).await.err();
            assert!(matches!(refused, Some(SourceError::Unusable(_))), "{url}: {refused:?}");
        }
    }
}
