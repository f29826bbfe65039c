//! `POST /api/generate/video`: claims the workspace, asks the vendor, starts the polling (contract §2, §6; decision 3 in
//! the house's design). A death at any line leaves what the sweeper finds, and nothing that is paid twice.

mod generate;
mod request;

use std::time::Duration;

use lambda_http::{Body, Error, Request, Response};
use serde_json::json;
use shared::{
    edge::{
        rest::{self, RestError},
        settings,
    },
    model::{ImageBounds, Owner},
    service::{
        images::Images,
        polling::Polling,
        push::Pusher,
        video_vendor::VideoVendor,
        workspaces::{Workspaces, claim::GenerationLimits},
    },
};

use crate::request::GenerateRequest;

/// What the requests of a process share.
struct App {
    workspaces: Workspaces,
    images: Images,
    vendor: VideoVendor,
    polling: Polling,
    pusher: Pusher,
    deadline: Duration,
    limits: GenerationLimits,
    bounds: ImageBounds,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let access = settings::access()?;
    let database = settings::database().await?;
    let aws = settings::aws()?;
    let app = App {
        workspaces: Workspaces::new(&database),
        images: settings::images(&aws)?,
        vendor: settings::video_vendor()?,
        polling: settings::polling(&aws)?,
        pusher: settings::pusher(&aws, &database)?,
        deadline: settings::generation_deadline()?,
        limits: settings::generation_limits()?,
        bounds: settings::image_bounds()?,
    };
    rest::serve(&access, |request, owner| generate(&app, request, owner)).await
}

async fn generate(app: &App, request: Request, owner: Owner) -> Result<Response<Body>, RestError> {
    let task_id = app.generate(GenerateRequest::parse(&request, owner)?).await?;
    Ok(rest::ok(&json!({"task_id": task_id, "status": "generating"})))
}
