//! `GET /api/uploads/{filename}`: the bytes of a picture, or the way to them (contract §2, §6), for whoever has its owner's token
//! or an address that was signed for it (§7).

use std::{sync::Arc, time::Duration};

use lambda_http::{
    Body, Error, Request, RequestExt, Response,
    http::{HeaderValue, StatusCode, header},
};
use shared::{
    edge::{
        reader::Reader,
        rest::{self, RestError},
        settings::{Settings, SettingsError},
    },
    model::ImageName,
    service::images::Images,
};

/// The largest picture that one Lambda answer holds: 6 MB less a third for base64, less the rest of the answer.
const MAX_ANSWER_BYTES: u64 = 4_600_000;
/// How long the target of a redirect lives (contract §6: an hour at most)...
const REDIRECT_LIFE: Duration = Duration::from_secs(15 * 60);
/// ...and how long the redirect itself may be kept: not as long, so that it never leads nowhere.
const CACHE_REDIRECT: &str = "private, max-age=600";
/// What a name stands for never changes.
const CACHE_PICTURE: &str = "private, max-age=31536000, immutable";

/// What the requests of a process share.
struct App {
    reader: Reader,
    images: Images,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rest::serve_unguarded(App::new, get).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { reader: settings.reader()?, images: settings.images()? })
    }

    fn response(
        &self,
        status: StatusCode,
        cache_control: &'static str,
        etag: &str,
        body: Body,
    ) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        headers.insert(header::ETAG, header_value(etag));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::VARY, HeaderValue::from_static(self.reader.varies_by()));
        response
    }
}

async fn get(app: Arc<App>, request: Request) -> Result<Response<Body>, RestError> {
    let parameters = request.path_parameters();
    let name = parameters.first("filename").and_then(|name| name.parse::<ImageName>().ok());
    let path = name.as_ref().map(ImageName::image_url);
    let owner = app.reader.owner(&request, path.as_deref()).await?;
    let name = name.ok_or_else(RestError::image_not_found)?;
    let images = &app.images;
    if let Some(tags) = rest::header(&request, "if-none-match") {
        let etag = images.etag(&owner, &name).await?.ok_or_else(RestError::image_not_found)?;
        if matches(tags, &etag) {
            return Ok(app.response(StatusCode::NOT_MODIFIED, CACHE_PICTURE, &etag, Body::Empty));
        }
    }
    let image = images.get(&owner, &name).await?.ok_or_else(RestError::image_not_found)?;
    let etag = image.etag.clone();
    if image.size > MAX_ANSWER_BYTES {
        let location = images.presign_get(&owner, &name, REDIRECT_LIFE).await?;
        let mut redirect = app.response(StatusCode::FOUND, CACHE_REDIRECT, &etag, Body::Empty);
        redirect.headers_mut().insert(header::LOCATION, header_value(&location));
        return Ok(redirect);
    }
    let body = Body::Binary(image.bytes().await?.into());
    let mut picture = app.response(StatusCode::OK, CACHE_PICTURE, &etag, body);
    picture.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(name.kind().content_type()));
    Ok(picture)
}

/// Addresses and tags come from S3 and are printable; anything else would only be left out.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// Whether the value of an `If-None-Match`, a list or `*`, names `etag`: weakly, as RFC 9110 §13.1.2 has it.
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_is_a_tag_a_list_or_a_star() {
        assert!(matches(r#""a""#, r#""a""#));
        assert!(matches(r#""b", W/"a""#, r#""a""#));
        assert!(matches("*", r#""a""#));
        assert!(!matches(r#""b""#, r#""a""#));
        assert!(!matches("a", r#""a""#));
        assert!(!matches("", r#""a""#));
    }
}
