//! Pictures in a request: by address, as a data URI, or as bare base64. Only what they begin with is looked at, not their
//! sides.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A vendor's own limit for what it fetches.
const MAX_BYTES: usize = 30 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    WebP,
}

impl Kind {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::WebP)
        } else {
            None
        }
    }

    fn subtype(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }
}

/// Of bare base64: what it is, and of how many bytes.
pub(super) fn in_base64(text: &str) -> Result<(Kind, usize), String> {
    let bytes = STANDARD.decode(text).map_err(|error| format!("图片不是有效的 base64：{error}"))?;
    let kind = Kind::of(&bytes).ok_or("图片不是 JPEG、PNG 或 WebP")?;
    Ok((kind, bytes.len()))
}

/// Of `data:image/<type>;base64,…`, with the type in lower case, as Ark wants it, and the one that it is.
pub(super) fn in_data_uri(uri: &str) -> Result<(Kind, usize), String> {
    let parts = uri.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"));
    let (subtype, text) = parts.ok_or("图片的 data URI 必须形如 data:image/<type>;base64,…")?;
    let (kind, size) = in_base64(text)?;
    if kind.subtype() != subtype {
        return Err(format!("图片的类型是 {}，不是 {subtype}", kind.subtype()));
    }
    if size > MAX_BYTES {
        return Err("图片过大".to_owned());
    }
    Ok((kind, size))
}

/// Reads the picture at an address, as the real vendors do, so that what they could not read fails here too.
pub(super) async fn fetch(client: &reqwest::Client, url: &str) -> Result<Kind, String> {
    let unreachable = |error: reqwest::Error| format!("无法读取图片：{}", error.without_url());
    let response = client.get(url).send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(format!("无法读取图片：HTTP {}", response.status().as_u16()));
    }
    let bytes = response.bytes().await.map_err(unreachable)?;
    if bytes.len() > MAX_BYTES {
        return Err("图片过大".to_owned());
    }
    Kind::of(&bytes).ok_or_else(|| "地址的内容不是 JPEG、PNG 或 WebP 图片".to_owned())
}

/// Whether it is an address rather than the picture itself.
pub(super) fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// What is kept of a picture: where it is, or only how large it was.
pub(super) fn abbreviate(text: &str) -> String {
    if is_address(text) {
        return text.to_owned();
    }
    let (head, data) = match text.find(";base64,") {
        Some(at) if text.starts_with("data:") => text.split_at(at + ";base64,".len()),
        _ => ("", text),
    };
    let size = STANDARD.decode(data).map_or(data.len(), |bytes| bytes.len());
    format!("{head}<{size} bytes>")
}

/// A request without the data of its pictures: data URIs anywhere, and bare base64 in the members that are named.
pub(super) fn without_data(mut request: Value, bare: &[&str]) -> Value {
    for member in bare {
        if let Some(Value::String(text)) = request.get_mut(*member) {
            *text = abbreviate(text);
        }
    }
    shorten_uris(&mut request);
    request
}

fn shorten_uris(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("data:") => *text = abbreviate(text),
        Value::Array(items) => items.iter_mut().for_each(shorten_uris),
        Value::Object(members) => members.values_mut().for_each(shorten_uris),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_data_uri_must_be_what_it_says() {
        let png = STANDARD.encode(b"\x89PNG\r\n\x1a\n rest");
        let read = |head: &str| in_data_uri(&format!("{head}{png}"));
        assert_eq!(read("data:image/png;base64,"), Ok((Kind::Png, 13)));
        for head in ["data:image/PNG;base64,", "data:image/jpeg;base64,", "data:image/png,", ""] {
            assert!(read(head).is_err(), "{head}");
        }
        assert!(in_data_uri("data:image/png;base64,!!").is_err());
        assert!(in_data_uri("data:image/png;base64,dGV4dA==").is_err());
    }

    #[test]
    fn the_data_of_pictures_is_not_kept() {
        let request = json!({"image": "dGV4dA==", "a": [{"url": "data:image/png;base64,dGV4dA=="}], "b": "https://x/y"});
        let kept = json!({"image": "<4 bytes>", "a": [{"url": "data:image/png;base64,<4 bytes>"}], "b": "https://x/y"});
        assert_eq!(without_data(request, &["image", "image_tail", "b"]), kept);
    }
}
