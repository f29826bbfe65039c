//! `POST /api/upload/image`: a picture in a form, or permission to upload one straight to S3 (contract §2, §6, §7).

mod form;

use std::sync::Arc;

use lambda_http::{Body, Error, Request, Response};
use serde_json::{Map, Value, json};
use shared::{
    edge::{
        addresses::Addresses,
        rest::{self, RestError},
        settings::{self, Settings, SettingsError},
    },
    model::{
        ImageBounds, ImageHeader, ImageKind, ImageName, InvalidData, MAX_IMAGE_BYTES, Members, Owner,
        OwnerKey, Timestamp,
    },
    service::{
        images::Images,
        quotas::{Quotas, Rate},
        uploads::Uploads,
    },
};

/// What the requests of a process share.
struct App {
    addresses: Addresses,
    images: Images,
    bounds: ImageBounds,
    quotas: Quotas,
    uploads: Uploads,
    uploads_per_hour: u32,
    bytes_per_owner: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rest::serve(App::new, upload).await
}

async fn upload(app: Arc<App>, request: Request, owner: Owner) -> Result<Response<Body>, RestError> {
    let content_type = rest::header(&request, "content-type").unwrap_or_default().to_owned();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("multipart/form-data") {
        app.store(&owner, &content_type, request.into_body()).await
    } else if essence.eq_ignore_ascii_case("application/json") {
        app.permit(&owner, &rest::json_body(&request)?).await
    } else {
        let message = "Content-Type 必须是 multipart/form-data 或 application/json";
        Err(InvalidData::new("content-type", message).into())
    }
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            addresses: settings.addresses()?,
            images: settings.images()?,
            bounds: settings.image_bounds()?,
            quotas: Quotas::new(&database),
            uploads: Uploads::new(&database),
            uploads_per_hour: settings::number("UPLOADS_PER_HOUR")?,
            bytes_per_owner: settings::number("BYTES_PER_OWNER")?,
        })
    }

    /// Stores the picture in the form's part `image`.
    async fn store(
        &self,
        owner: &Owner,
        content_type: &str,
        body: Body,
    ) -> Result<Response<Body>, RestError> {
        let content = form::read_part(content_type, body).await?;
        let size = content.len() as u64;
        if size > MAX_IMAGE_BYTES {
            return Err(RestError::file_too_large());
        }
        let header = ImageHeader::read(&content).map_err(|_| RestError::unsupported_file_type())?;
        self.bounds.check(&header, "image")?;
        let (key, name) = (owner.key(), ImageName::random(header.kind));
        self.reserve(owner, &key, size).await?;
        self.uploads.announce(&key, &name).await?;
        self.images.put(&key, &name, content).await?;
        Ok(rest::ok(&self.named(&key, &name)))
    }

    /// Permits the upload of a picture that is only announced. What it really is shows when it is used.
    async fn permit(&self, owner: &Owner, body: &Value) -> Result<Response<Body>, RestError> {
        let members = Members::of(body, "body")?;
        let content_type = members.str("content_type")?;
        let size = match u64::try_from(members.integer("size")?) {
            Ok(size @ 1..) => size,
            _ => return Err(InvalidData::new("size", "size 必须是大于 0 的整数").into()),
        };
        let kind = ImageKind::from_content_type(content_type).ok_or_else(RestError::unsupported_file_type)?;
        if size > MAX_IMAGE_BYTES {
            return Err(RestError::file_too_large());
        }
        let (key, name) = (owner.key(), ImageName::random(kind));
        self.reserve(owner, &key, size).await?;
        self.uploads.announce(&key, &name).await?;
        let upload = self.images.presign_put(&key, &name, size).await?;
        let headers: Map<String, Value> =
            upload.headers.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
        let mut data = self.named(&key, &name);
        data["upload"] = json!({
            "method": "PUT",
            "url": upload.url,
            "headers": headers,
            "expires_at": upload.expires_at,
        });
        Ok(rest::ok(&data))
    }

    fn named(&self, owner: &OwnerKey, name: &ImageName) -> Value {
        json!({"image_path": name.image_path(), "image_url": self.addresses.of(owner, name, Timestamp::now())})
    }

    /// Counts an upload of `size` bytes before it is there.
    async fn reserve(&self, owner: &Owner, key: &OwnerKey, size: u64) -> Result<(), RestError> {
        self.quotas.take(owner, Rate::UPLOADS, self.uploads_per_hour).await??;
        if self.quotas.add_bytes(owner, size, self.bytes_per_owner).await?.is_err() {
            // The count knows nothing of what never came or was removed. The store does, and who gets here too often runs out of
            // uploads first.
            let counted = self.quotas.bytes(owner).await?;
            let stored = self.images.total_bytes(key).await?;
            self.quotas.correct_bytes(owner, counted, stored).await?;
            self.quotas.add_bytes(owner, size, self.bytes_per_owner).await??;
        }
        Ok(())
    }
}
