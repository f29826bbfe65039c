//! How finished videos are delivered: at addresses on the port that browsers see, and as badly as the prompt wants.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use super::steering::Word;
use super::store::Vendor;
use super::task::{Status, Task};
use super::{vendor, video};

/// What the address that `#elsewhere` leads to has behind its `?`, so that it leads nowhere else.
const DIRECT: &str = "direct";
/// In one piece of a large file.
const CHUNK_BYTES: u64 = 64 << 10;
/// More is nobody's video.
const MAX_MEGABYTES: u64 = 100_000;

impl Vendor {
    /// `GET /_local/videos/{task}.mp4`, for the port that browsers see.
    pub fn videos(&self) -> Router {
        Router::new().route("/_local/videos/{name}", get(watch)).with_state(self.clone())
    }
}

async fn watch(
    State(vendor): State<Vendor>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let task = name.strip_suffix(".mp4").and_then(|id| vendor.with_video(id));
    let Some(task) = task.filter(|task| task.status(vendor.now()) == Status::Succeeded) else {
        return missing();
    };
    if query.as_deref() == Some(DIRECT) {
        return video::answer(&headers);
    }
    let order = &task.order;
    if order.has(Word::Gone) {
        missing()
    } else if order.has(Word::Page) {
        Html("<!doctype html><title>Video</title><p>此视频需要登录后观看。</p>").into_response()
    } else if order.has(Word::Elsewhere) {
        (StatusCode::FOUND, [(LOCATION, elsewhere(&vendor, &task))]).into_response()
    } else if let Some(megabytes) = Word::Big.value_in(&order.prompt).and_then(|size| size.parse().ok()) {
        large(megabytes)
    } else if method == Method::GET && vendor.cuts(&task) {
        half()
    } else {
        video::answer(&headers)
    }
}

fn missing() -> Response {
    vendor::failure(StatusCode::NOT_FOUND, "not_found", "视频不存在")
}

/// The same video at a name that, unlike the address, looks harmless: who fetches what others name must not go where it
/// leads.
fn elsewhere(vendor: &Vendor, task: &Task) -> String {
    let port = vendor.public_base().parse::<Uri>().ok().and_then(|base| base.port_u16()).unwrap_or(80);
    format!("{}?{DIRECT}", video::address(&format!("http://localhost:{port}"), &task.id))
}

/// A file of so many MiB: the head of a real video, and a box of nothing. It is never held in memory as a whole.
fn large(megabytes: u64) -> Response {
    // A box whose size is in 64 bits: there may be more than 4 GiB of it.
    const BOX_HEAD: u64 = 16;
    let head = video::head();
    let start = head.len() as u64 + BOX_HEAD;
    let total = (megabytes.min(MAX_MEGABYTES) << 20).max(start);
    let mut first = head.to_vec();
    first.extend(1_u32.to_be_bytes());
    first.extend(b"mdat");
    first.extend((total - head.len() as u64).to_be_bytes());

    let chunk = Bytes::from(vec![0x5a; CHUNK_BYTES as usize]);
    let (whole, rest) = ((total - start) / CHUNK_BYTES, (total - start) % CHUNK_BYTES);
    let last = chunk.slice(..rest as usize);
    let pieces = (0..whole).map(move |_| chunk.clone()).chain([last]);
    let pieces = std::iter::once(Bytes::from(first)).chain(pieces).map(Ok::<_, Infallible>);
    let headers = [(CONTENT_TYPE, "video/mp4".to_owned()), (CONTENT_LENGTH, total.to_string())];
    (headers, Body::from_stream(stream::iter(pieces))).into_response()
}

/// Promises the whole video, and breaks off after half of it.
fn half() -> Response {
    let whole = video::whole();
    let half = Bytes::from_static(whole.get(..whole.len() / 2).unwrap_or(whole));
    let end = async {
        // What was written must be on its way before the connection goes.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let pieces = stream::once(async { Ok(half) }).chain(stream::once(end));
    let headers = [(CONTENT_TYPE, "video/mp4".to_owned()), (CONTENT_LENGTH, whole.len().to_string())];
    (headers, Body::from_stream(pieces)).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, bench, pass};
    use super::*;

    /// A server of the videos, and the client that asks it.
    struct Cinema {
        bench: Bench,
        base: String,
        http: reqwest::Client,
    }

    async fn cinema() -> Cinema {
        let bench = bench().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = bench.vendor.videos();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Cinema { bench, base, http: http.build().unwrap() }
    }

    impl Cinema {
        async fn open(&self, id: &str) -> reqwest::Response {
            self.http.get(format!("{}/_local/videos/{id}.mp4", self.base)).send().await.unwrap()
        }
    }

    #[tokio::test]
    async fn the_prompt_says_what_is_at_the_address() {
        let cinema = cinema().await;
        let mut ids = Vec::new();
        for word in ["#gone", "#page", "#elsewhere", "#cut"] {
            ids.push(cinema.bench.accepted(word).await);
        }
        pass(Duration::from_secs(8)).await;
        assert_eq!(cinema.open(&ids[0]).await.status(), 404);
        let page = cinema.open(&ids[1]).await;
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (200, &"text/html; charset=utf-8".parse().unwrap())
        );
        let elsewhere = cinema.open(&ids[2]).await;
        let location = elsewhere.headers()["location"].to_str().unwrap().to_owned();
        let path = format!("/_local/videos/{}.mp4?direct", ids[2]);
        assert_eq!((elsewhere.status().as_u16(), location), (302, format!("http://localhost:1{path}")));
        let direct = cinema.http.get(format!("{}{path}", cinema.base)).send().await.unwrap();
        assert_eq!(direct.bytes().await.unwrap(), video::whole());
        let cut = cinema.open(&ids[3]).await;
        assert_eq!(cut.content_length(), Some(video::whole().len() as u64));
        assert!(cut.bytes().await.is_err());
        assert_eq!(cinema.open(&ids[3]).await.bytes().await.unwrap(), video::whole());
    }

    #[tokio::test]
    async fn a_big_file_is_as_big_as_it_says() {
        let cinema = cinema().await;
        let id = cinema.bench.accepted("#big:3").await;
        pass(Duration::from_secs(8)).await;
        let answer = cinema.open(&id).await;
        assert_eq!(answer.content_length(), Some(3 << 20));
        let bytes = answer.bytes().await.unwrap();
        assert_eq!((bytes.len(), &bytes[4..8]), (3 << 20, &b"ftyp"[..]));
        let head = video::head().len();
        assert_eq!(&bytes[head + 4..head + 8], b"mdat");
        let length = u64::from_be_bytes(bytes[head + 8..head + 16].try_into().unwrap());
        assert_eq!(length, (3 << 20) - head as u64);
    }
}
