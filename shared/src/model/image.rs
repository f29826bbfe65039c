use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};

use super::SignedQuery;

/// The largest picture: 10 MB (contract §1).
pub const MAX_IMAGE_BYTES: u64 = 10 * 1024 * 1024;

/// The kinds of picture that the product takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// image/jpeg
    Jpeg,
    /// image/png
    Png,
    /// image/webp
    WebP,
}

impl ImageKind {
    const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::WebP];

    /// The kind by content: the signatures of <https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern>.
    pub fn sniff(content: &[u8]) -> Option<Self> {
        match content {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// The kind that `content_type` names, parameters and case aside.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|kind| kind.content_type().eq_ignore_ascii_case(essence))
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    /// `content`, a picture of this kind, as an address that holds it (RFC 2397).
    pub fn data_uri(self, content: &[u8]) -> String {
        let mut uri = format!("data:{};base64,", self.content_type());
        STANDARD.encode_string(content, &mut uri);
        uri
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }
}

/// The public name of an uploaded picture: `<stem>.jpg`, `.png` or `.webp`, the stem at least 16 characters of
/// `[A-Za-z0-9_-]` (contract §6) and at most 128, so that it fits an S3 key. It can be in a key and in an address as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    text: String,
    kind: ImageKind,
}

/// Not a name that this system could have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an upload")]
pub struct ParseImageNameError;

impl ImageName {
    const URL_PREFIX: &'static str = "/api/uploads/";
    const PATH_PREFIX: &'static str = "uploads/";

    /// A new name that nobody can guess: 122 random bits.
    pub fn random(kind: ImageKind) -> Self {
        Self { text: format!("{}.{}", uuid::Uuid::new_v4().simple(), kind.suffix()), kind }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind that the name's suffix says.
    pub const fn kind(&self) -> ImageKind {
        self.kind
    }

    /// `uploads/<name>`, the `image_path` of the contract.
    pub fn image_path(&self) -> String {
        format!("{}{}", Self::PATH_PREFIX, self.text)
    }

    /// `/api/uploads/<name>`, the `image_url` of the contract.
    pub fn image_url(&self) -> String {
        format!("{}{}", Self::URL_PREFIX, self.text)
    }

    /// The name in an `image_path`.
    pub fn from_image_path(path: &str) -> Result<Self, ParseImageNameError> {
        path.strip_prefix(Self::PATH_PREFIX).ok_or(ParseImageNameError)?.parse()
    }

    /// The name in an `image_url`, which a client may send back signed, as it got it, or not (contract §7). Whether a signature
    /// is right doesn't matter here: to name a picture is not to read it.
    pub fn from_image_url(url: &str) -> Result<Self, ParseImageNameError> {
        let path = match url.split_once('?') {
            Some((path, query)) if query.parse::<SignedQuery>().is_ok() => path,
            Some(_) => return Err(ParseImageNameError),
            None => url,
        };
        path.strip_prefix(Self::URL_PREFIX).ok_or(ParseImageNameError)?.parse()
    }
}

impl FromStr for ImageName {
    type Err = ParseImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (stem, suffix) = text.split_once('.').ok_or(ParseImageNameError)?;
        let kind =
            ImageKind::ALL.into_iter().find(|kind| kind.suffix() == suffix).ok_or(ParseImageNameError)?;
        let possible = (16..=128).contains(&stem.len())
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !possible {
            return Err(ParseImageNameError);
        }
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for ImageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sniffs_by_content_alone() {
        assert_eq!(ImageKind::sniff(b"\xFF\xD8\xFF\xE0rest"), Some(ImageKind::Jpeg));
        assert_eq!(ImageKind::sniff(b"\x89PNG\r\n\x1a\nrest"), Some(ImageKind::Png));
        assert_eq!(ImageKind::sniff(b"RIFF\x10\x00\x00\x00WEBPVP8 "), Some(ImageKind::WebP));
        assert_eq!(ImageKind::sniff(b"RIFF\x10\x00\x00\x00WAVEfmt "), None);
        assert_eq!(ImageKind::sniff(b"GIF89a"), None);
        assert_eq!(ImageKind::sniff(b"\xFF\xD8"), None);
        assert_eq!(ImageKind::sniff(b""), None);
    }

    #[test]
    fn content_types_ignore_case_and_parameters() {
        assert_eq!(ImageKind::from_content_type("Image/PNG; q=1"), Some(ImageKind::Png));
        assert_eq!(ImageKind::from_content_type("image/gif"), None);
        assert_eq!(ImageKind::from_content_type(""), None);
    }

    #[test]
    fn only_possible_names_parse() {
        for good in ["0123456789abcdef.jpg", "ABCdef_-0123456789.webp"] {
            assert_eq!(good.parse::<ImageName>().unwrap().as_str(), good);
        }
        let long = format!("{}.png", "a".repeat(129));
        for bad in [
            "short.jpg",
            "0123456789abcdef",
            "0123456789abcdef.gif",
            "0123456789abcdef.JPG",
            "0123456789abcdef.tar.jpg",
            "../0123456789abcdef.jpg",
            "0123456789abcde\u{e9}.jpg",
            "",
            &long,
        ] {
            assert!(bad.parse::<ImageName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_made_name_is_possible_and_round_trips() {
        let name = ImageName::random(ImageKind::WebP);
        assert_eq!(ImageName::from_image_path(&name.image_path()).as_ref(), Ok(&name));
        assert_eq!(ImageName::from_image_url(&name.image_url()).as_ref(), Ok(&name));
        assert!(ImageName::from_image_url(&format!("https://evil.example{}", name.image_url())).is_err());
        let signed = format!("{}?owner=default&expires=1&signature={}", name.image_url(), "A".repeat(43));
        assert_eq!(ImageName::from_image_url(&signed), Ok(name.clone()));
        assert!(ImageName::from_image_url(&format!("{}?x=1", name.image_url())).is_err());
    }
}
