//! The form with a picture in it.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use lambda_http::Body;
use shared::model::InvalidData;

/// What the part `image` of a form holds: never nothing.
pub async fn read_part(content_type: &str, body: Body) -> Result<Bytes, InvalidData> {
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
