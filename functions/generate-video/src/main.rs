//! `POST /api/generate/video`: claims the workspace, asks the vendor, starts the polling (contract §2, §6; decision 3 in
//! the house's design). A death at any line leaves what the sweeper finds, and nothing that is paid twice.

mod generate;
mod request;

use std::{sync::Arc, time::Duration};

use lambda_http::{Body, Error, Request, Response};
use serde_json::json;
use shared::{
    edge::{
        function::note,
        rest::{self, RestError},
        settings::{Settings, SettingsError},
    },
    model::{ImageBounds, Owner},
    service::{
        images::Images,
        polling::Polling,
        push::Pusher,
        uploads::Uploads,
        video_vendor::VideoVendor,
        workspaces::{Workspaces, claim::GenerationLimits},
    },
};

use crate::request::GenerateRequest;

/// What the requests of a process share.
struct App {
    workspaces: Workspaces,
    images: Images,
    uploads: Uploads,
    vendor: VideoVendor,
    polling: Polling,
    pusher: Pusher,
    deadline: Duration,
    limits: GenerationLimits,
    bounds: ImageBounds,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rest::serve(App::new, generate).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            workspaces: Workspaces::new(&database),
            images: settings.images()?,
            uploads: Uploads::new(&database),
            vendor: settings.video_vendor()?,
            polling: settings.polling()?,
            pusher: settings.pusher(&database)?,
            deadline: settings.generation_deadline()?,
            limits: settings.generation_limits()?,
            bounds: settings.image_bounds()?,
        })
    }
}

async fn generate(app: Arc<App>, request: Request, owner: Owner) -> Result<Response<Body>, RestError> {
    let request = GenerateRequest::parse(&request, owner)?;
    note("workspace_id", request.workspace_id);
    let task_id = app.generate(request).await?;
    Ok(rest::ok(&json!({"task_id": task_id, "status": "generating"})))
}
