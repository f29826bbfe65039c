//! The form of an upload: whatever comes is read without waiting; what a well-formed form holds comes out byte by byte, and a
//! truncated one is refused.

#![no_main]

use arbitrary::Arbitrary;
use futures_util::FutureExt;
use lambda_http::Body;
use libfuzzer_sys::fuzz_target;
use shared::model::InvalidData;

// The function is a program, of which this is a part.
#[path = "../../../functions/upload-image/src/form.rs"]
mod form;

#[derive(Arbitrary, Debug)]
enum Upload<'a> {
    Any { content_type: &'a str, body: &'a [u8] },
    Text { content_type: &'a str, body: &'a str },
    Form { boundary: Boundary, parts: Vec<Part<'a>>, epilogue: &'a [u8], cut: Option<u16> },
}

#[derive(Arbitrary, Debug)]
enum Boundary {
    Short,
    Browser,
    Dashes,
    Longest,
}

#[derive(Arbitrary, Debug)]
struct Part<'a> {
    name: Name,
    file_name: Option<&'a str>,
    content_type: bool,
    content: &'a [u8],
}

#[derive(Arbitrary, Debug, PartialEq)]
enum Name {
    Image,
    OtherCase,
    Other,
    None,
}

fuzz_target!(|upload: Upload| {
    match upload {
        Upload::Any { content_type, body } => check_any(content_type, Body::Binary(body.to_vec()), body),
        Upload::Text { content_type, body } => {
            check_any(content_type, Body::Text(body.to_owned()), body.as_bytes());
        }
        Upload::Form { boundary, parts, epilogue, cut } => check_form(boundary.text(), &parts, epilogue, cut),
    }
});

fn read(content_type: &str, body: Body) -> Result<Vec<u8>, InvalidData> {
    let read = form::read_part(content_type, body).now_or_never().expect("all is there, nothing to wait for");
    read.map(|bytes| bytes.to_vec())
}

fn check_any(content_type: &str, body: Body, bytes: &[u8]) {
    if let Ok(image) = read(content_type, body) {
        assert!(!image.is_empty());
        assert!(bytes.windows(image.len()).any(|window| window == image), "it is a piece of the body");
    }
}

fn check_form(boundary: &str, parts: &[Part], epilogue: &[u8], cut: Option<u16>) {
    let mut body = Vec::new();
    for part in parts {
        body.extend(format!("--{boundary}\r\n").as_bytes());
        body.extend(part.head().as_bytes());
        body.extend(part.content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--").as_bytes());
    // A content that ends the part by itself makes it another form.
    let delimiter = format!("--{boundary}");
    let delimiters = body.windows(delimiter.len()).filter(|window| *window == delimiter.as_bytes()).count();
    if delimiters != parts.len() + 1 {
        return;
    }
    let content_type = format!("multipart/form-data; boundary=\"{boundary}\"");
    if let Some(cut) = cut {
        let part = &body[..usize::from(cut) % body.len()];
        let fault = read(&content_type, Body::Binary(part.to_vec())).expect_err("it is truncated");
        assert_eq!(fault.field, "body");
        return;
    }
    body.extend(b"\r\n");
    body.extend(epilogue);
    let image = parts.iter().find(|part| part.name == Name::Image).map(|part| part.content);
    match (read(&content_type, Body::Binary(body)), image) {
        (Ok(image), Some(content)) => assert_eq!(image, content),
        (Err(fault), None | Some([])) => assert_eq!(fault.field, "image"),
        (outcome, content) => panic!("{outcome:?} of {content:?}"),
    }
}

impl Boundary {
    const fn text(&self) -> &'static str {
        match self {
            Self::Short => "X",
            Self::Browser => "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            Self::Dashes => "--",
            Self::Longest => "0123456789abcdefghijklmnopqrstuvwxyz'()+_,-./:=?0123456789abcdefghijkl",
        }
    }
}

impl Part<'_> {
    fn head(&self) -> String {
        let mut head = "Content-Disposition: form-data".to_owned();
        let name = match self.name {
            Name::Image => Some("image"),
            Name::OtherCase => Some("Image"),
            Name::Other => Some("im"),
            Name::None => None,
        };
        if let Some(name) = name {
            head += &format!("; name=\"{name}\"");
        }
        if let Some(file_name) = self.file_name {
            // As browsers do: https://html.spec.whatwg.org/#multipart-form-data
            let escaped = file_name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
            let escaped: String = escaped.chars().filter(|c| !c.is_control()).collect();
            head += &format!("; filename=\"{escaped}\"");
        }
        if self.content_type {
            head += "\r\nContent-Type: image/png";
        }
        head + "\r\n\r\n"
    }
}
