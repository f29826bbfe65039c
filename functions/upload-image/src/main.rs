//! `POST /api/upload/image`: a picture in a form, or permission to upload one straight to S3 (contract §2, §6).

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use lambda_http::{Body, Error, Request, Response};
use serde_json::{Map, Value, json};
use shared::{
    edge::{
        rest::{self, RestError},
        settings,
    },
    model::{ImageKind, ImageName, InvalidData, MAX_IMAGE_BYTES, Members, Owner},
    service::images::Images,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let images = settings::images(&settings::aws()?)?;
    rest::serve(|request| upload(&images, request)).await
}

async fn upload(images: &Images, request: Request) -> Result<Response<Body>, RestError> {
    let content_type = rest::header(&request, "content-type").unwrap_or_default().to_owned();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("multipart/form-data") {
        store(images, &content_type, request.into_body()).await
    } else if essence.eq_ignore_ascii_case("application/json") {
        permit(images, &rest::json_body(&request)?).await
    } else {
        let message = "Content-Type 必须是 multipart/form-data 或 application/json";
        Err(InvalidData::new("content-type", message).into())
    }
}

/// Stores the picture in the form's part `image`.
async fn store(images: &Images, content_type: &str, body: Body) -> Result<Response<Body>, RestError> {
    let content = read_part(content_type, body).await?;
    if content.len() as u64 > MAX_IMAGE_BYTES {
        return Err(RestError::file_too_large());
    }
    let kind = ImageKind::sniff(&content).ok_or_else(RestError::unsupported_file_type)?;
    let name = ImageName::random(kind);
    images.put(&Owner::default(), &name, content).await?;
    Ok(rest::ok(&json!({"image_path": name.image_path(), "image_url": name.image_url()})))
}

/// Permits the upload of a picture that is only announced. What it really is shows when it is used.
async fn permit(images: &Images, body: &Value) -> Result<Response<Body>, RestError> {
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
    let name = ImageName::random(kind);
    let upload = images.presign_put(&Owner::default(), &name, size).await?;
    let headers: Map<String, Value> =
        upload.headers.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
    Ok(rest::ok(&json!({
        "image_path": name.image_path(),
        "image_url": name.image_url(),
        "upload": {
            "method": "PUT",
            "url": upload.url,
            "headers": headers,
            "expires_at": upload.expires_at,
        },
    })))
}

async fn read_part(content_type: &str, body: Body) -> Result<Bytes, InvalidData> {
    let broken = |_| InvalidData::new("body", "表单不完整或格式错误，请重新上传");
    let boundary = multer::parse_boundary(content_type).map_err(broken)?;
    let body = match body {
        Body::Binary(bytes) => Bytes::from(bytes),
        Body::Text(text) => Bytes::from(text),
        _ => Bytes::new(),
    };
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut image = None;
    // To the end, even after the part was found: a truncated form is refused whole.
    while let Some(part) = form.next_field().await.map_err(broken)? {
        let is_image = image.is_none() && part.name() == Some("image");
        let content = part.bytes().await.map_err(broken)?;
        if is_image {
            image = Some(content);
        }
    }
    match image {
        Some(image) if !image.is_empty() => Ok(image),
        _ => Err(InvalidData::new("image", "请选择要上传的图片")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=X";

    async fn read(body: &str) -> Result<Bytes, String> {
        read_part(TYPE, Body::from(body)).await.map_err(|fault| fault.field)
    }

    #[tokio::test]
    async fn takes_the_part_named_image() {
        let form = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
                    --X\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.gif\"\r\n\r\nbytes\r\n--X--\r\n";
        assert_eq!(read(form).await.unwrap(), "bytes");
    }

    #[tokio::test]
    async fn missing_empty_and_truncated_are_told_apart() {
        let other = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n";
        assert_eq!(read(other).await.unwrap_err(), "image");
        let empty = "--X\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n\r\n--X--\r\n";
        assert_eq!(read(empty).await.unwrap_err(), "image");
        let truncated = "--X\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nbyt";
        assert_eq!(read(truncated).await.unwrap_err(), "body");
        let unfinished = "--X\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nbytes\r\n--X\r\n";
        assert_eq!(read(unfinished).await.unwrap_err(), "body");
        assert_eq!(read("").await.unwrap_err(), "body");
        assert!(read_part("multipart/form-data", Body::from(other)).await.is_err());
    }
}
