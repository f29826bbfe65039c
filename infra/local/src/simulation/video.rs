//! The finished video: a real file that browsers play, the same one for every task.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_range_header::parse_range_header;

/// Four seconds of a moving test pattern in H.264 baseline, without sound. Made with ffmpeg 5.1:
///
/// ```text
/// ffmpeg -f lavfi -i testsrc2=size=640x360:rate=24:duration=4 -c:v libx264 -profile:v baseline -level 3.0 \
///   -pix_fmt yuv420p -preset veryslow -crf 38 -g 48 -an -movflags +faststart -map_metadata -1 \
///   -fflags +bitexact -flags:v +bitexact video.mp4
/// ```
const VIDEO: &[u8] = include_bytes!("video.mp4");

/// All of it.
pub(super) fn whole() -> &'static [u8] {
    VIDEO
}

/// Its first box, `ftyp`: by what one tells that a file is a video.
pub(super) fn head() -> &'static [u8] {
    let size = VIDEO.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
    VIDEO.get(..size as usize).unwrap_or_default()
}

/// Where a browser finds the video of a task.
pub(super) fn address(public_base: &str, task: &str) -> String {
    format!("{public_base}/_local/videos/{task}.mp4")
}

/// The whole video or the part that was asked for: players seek with `Range`, and Safari plays nothing without it.
pub(super) fn answer(request: &HeaderMap) -> Response<Body> {
    let mut response = match range(request) {
        Wanted::All => Response::new(Body::from(VIDEO)),
        Wanted::Part { first, last } => {
            let part = usize::try_from(first)
                .ok()
                .zip(usize::try_from(last).ok())
                .and_then(|(a, b)| VIDEO.get(a..=b));
            let mut response = Response::new(Body::from(part.unwrap_or_default()));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(&mut response, CONTENT_RANGE, &format!("bytes {first}-{last}/{}", VIDEO.len()));
            response
        }
        Wanted::Nothing => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            insert(&mut response, CONTENT_RANGE, &format!("bytes */{}", VIDEO.len()));
            response
        }
    };
    insert(&mut response, CONTENT_TYPE, "video/mp4");
    insert(&mut response, ACCEPT_RANGES, "bytes");
    insert(&mut response, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    insert(&mut response, CACHE_CONTROL, "public, max-age=3600");
    response
}

enum Wanted {
    All,
    Part { first: u64, last: u64 },
    Nothing,
}

/// A header that can't be read is ignored, and so is one with several ranges (RFC 9110, section 14.2).
fn range(request: &HeaderMap) -> Wanted {
    let Some(header) = request.get(RANGE).and_then(|value| value.to_str().ok()) else { return Wanted::All };
    let Ok(parsed) = parse_range_header(header) else { return Wanted::All };
    match parsed.validate(VIDEO.len() as u64).as_deref() {
        Ok([range]) => Wanted::Part { first: *range.start(), last: *range.end() },
        Ok(_) => Wanted::All,
        Err(_) => Wanted::Nothing,
    }
}

fn insert(response: &mut Response<Body>, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn get(range: Option<&'static str>) -> (u16, String, Vec<u8>) {
        let mut request = HeaderMap::new();
        if let Some(range) = range {
            request.insert(RANGE, HeaderValue::from_static(range));
        }
        let response = answer(&request);
        let content_range =
            response.headers().get(CONTENT_RANGE).map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        assert_eq!(response.headers()[CONTENT_TYPE], "video/mp4");
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        (status, content_range.unwrap_or_default(), body)
    }

    #[tokio::test]
    async fn serves_parts_as_players_ask_for_them() {
        let size = VIDEO.len();
        assert!(size < 100_000 && VIDEO[4..8] == *b"ftyp");
        assert_eq!(get(None).await, (200, String::new(), VIDEO.to_vec()));
        assert_eq!(get(Some("bytes=0-3")).await, (206, format!("bytes 0-3/{size}"), VIDEO[..4].to_vec()));
        let open = get(Some("bytes=10-")).await;
        assert_eq!(open, (206, format!("bytes 10-{}/{size}", size - 1), VIDEO[10..].to_vec()));
        let suffix = get(Some("bytes=-5")).await;
        assert_eq!(
            suffix,
            (206, format!("bytes {}-{}/{size}", size - 5, size - 1), VIDEO[size - 5..].to_vec())
        );
        assert_eq!(get(Some("bytes=10-99999999")).await.0, 206, "an end beyond the file is cut");
        assert_eq!(get(Some("bytes=99999999-")).await, (416, format!("bytes */{size}"), vec![]));
        assert_eq!(get(Some("lines=1-2")).await.0, 200);
        assert_eq!(get(Some("bytes=0-1,4-5")).await.0, 200);
    }
}
