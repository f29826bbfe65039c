//! Files that are a picture and something else.

use reqwest::Method;

use crate::board::{Board, PNG};

const JPEG: &[u8] = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x01\x00\x01\x01\x01\x11\x00";
const WEBP: &[u8] = b"RIFF\x11\x00\x00\x00WEBPVP8L\x05\x00\x00\x00\x2f\x00\x00\x00\x00";
const SVG: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";

/// What a browser, a reader or a virtual machine would run if it were told that this is not a picture.
const ACTIVE: [&[u8]; 6] = [
    b"<!doctype html><script>alert(1)</script>",
    SVG,
    b"*/;alert(1)//",
    b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>",
    b"PK\x03\x04META-INF/MANIFEST.MF PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"#!/bin/sh\nreboot\n",
];

#[tokio::test]
async fn what_is_a_picture_and_something_else_is_served_as_a_picture() {
    let board = Board::start().await;
    for (kind, picture) in [("image/png", PNG), ("image/jpeg", JPEG), ("image/webp", WEBP)] {
        for active in ACTIVE {
            let content = [picture, active].concat();
            let form = board.form(&content, "evil.html", "text/html");
            let url = board.send(form).await.data()["image_url"].as_str().unwrap().to_owned();
            // However a page asks for it.
            for accept in ["text/html", "image/svg+xml", "*/*"] {
                let request = board.request(Method::GET, &url).header("accept", accept);
                let answer = request.header("sec-fetch-dest", "document").send().await.unwrap();
                assert_eq!(answer.status(), 200);
                assert_eq!(answer.headers()["content-type"], kind);
                assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
                assert_eq!(answer.bytes().await.unwrap(), content);
            }
            // The other way round it is no picture.
            let content = [active, picture].concat();
            let refused = board.send(board.form(&content, "a.png", "image/png")).await;
            refused.refused(415, "UNSUPPORTED_FILE_TYPE");
        }
    }
    board.stop().await;
}

#[tokio::test]
async fn what_only_looks_like_a_picture_is_refused() {
    let board = Board::start().await;
    let padding = vec![0xFF; 1_000_000];
    for content in [
        SVG,
        b"GIF89a/*PK\x03\x04".as_slice(),
        b"BM\0\0\0\0",
        b"II*\0",
        b"\0\0\x01\0",
        b"\0\0\0\x18ftypavif",
        b"\0\0\0\x18ftypheic",
        b"\xEF\xBB\xBF\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n",
        // Nothing wide, a segment without a length, and one that never comes to an end.
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x00\x00\x00\x00\x00\x08\x02\x00\x00\x00",
        b"\xFF\xD8\xFF\xE0\x00\x00\xFF\xC0\x00\x0B\x08\x00\x01\x00\x01\x01\x01\x11\x00",
        &[b"\xFF\xD8", padding.as_slice()].concat(),
    ] {
        let answer = board.send(board.form(content, "a.png", "image/png")).await;
        answer.refused(415, "UNSUPPORTED_FILE_TYPE");
    }
    // Declared to be longer than there are numbers for.
    let endless = b"RIFF\x12\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff";
    board.send(board.form(endless, "a.webp", "image/webp")).await.invalid("image");
    assert_eq!(board.rows("uploads").count_documents(mongodb::bson::doc! {}).await.unwrap(), 0);
    board.stop().await;
}
