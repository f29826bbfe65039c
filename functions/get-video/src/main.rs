//! `GET /api/videos/{filename}`: the way to a kept video, for whoever has its owner's token or an address that was signed for it
//! (contract §7). Ranges work at the target, so that a player can seek.

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
    model::VideoName,
    service::videos::Videos,
};

/// How long the target of the redirect lives (contract §6: an hour at most): a player asks it for every part of a video.
const REDIRECT_LIFE: Duration = Duration::from_secs(60 * 60);
/// How long the redirect may be kept: so that what begins to play then still has three quarters of an hour.
const CACHE_REDIRECT: &str = "private, max-age=900";

/// What the requests of a process share.
struct App {
    reader: Reader,
    videos: Videos,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rest::serve_unguarded(App::new, get).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { reader: settings.reader()?, videos: settings.videos()? })
    }
}

async fn get(app: Arc<App>, request: Request) -> Result<Response<Body>, RestError> {
    let parameters = request.path_parameters();
    let name = parameters.first("filename").and_then(|name| name.parse::<VideoName>().ok());
    let path = name.as_ref().map(VideoName::url);
    let owner = app.reader.owner(&request, path.as_deref()).await?;
    let name = name.ok_or_else(RestError::video_not_found)?;
    let (exists, location) =
        tokio::join!(app.videos.exists(&owner, &name), app.videos.presign_get(&owner, &name, REDIRECT_LIFE));
    if !exists? {
        return Err(RestError::video_not_found());
    }
    let mut redirect = Response::new(Body::Empty);
    *redirect.status_mut() = StatusCode::FOUND;
    let headers = redirect.headers_mut();
    // Addresses come from the SDK and are printable.
    let location = HeaderValue::from_str(&location?).unwrap_or(HeaderValue::from_static(""));
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_REDIRECT));
    headers.insert(header::VARY, HeaderValue::from_static(app.reader.varies_by()));
    Ok(redirect)
}
