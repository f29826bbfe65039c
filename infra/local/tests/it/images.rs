//! Contract §2: pictures, up and down.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::board::{Board, PNG};

const NINE_AND_A_HALF_MB: usize = 9_961_472;

/// Headers of pictures of one pixel.
const JPEG: &[u8] = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x01\x00\x01\x01\x01\x11\x00";
const WEBP: &[u8] = b"RIFF\x11\x00\x00\x00WEBPVP8L\x05\x00\x00\x00\x2f\x00\x00\x00\x00";

/// A picture of `size` bytes.
fn large_png(size: usize) -> Vec<u8> {
    let mut content = PNG.to_vec();
    content.resize(size, 7);
    content
}

async fn permission(board: &Board, size: usize) -> Value {
    board.post("/api/upload/image", &json!({"content_type": "image/png", "size": size})).await.data()
}

/// The PUT that a browser sends with a permission.
async fn put(board: &Board, permission: &Value, content: Vec<u8>) -> Response {
    let upload = &permission["upload"];
    assert_eq!(upload["method"], "PUT");
    let mut request = board
        .request(Method::PUT, upload["url"].as_str().unwrap())
        .header("origin", "https://studio.example");
    for (name, value) in upload["headers"].as_object().unwrap() {
        assert_ne!(name, "content-length");
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(content).send().await.unwrap()
}

#[tokio::test]
async fn a_picture_goes_up_in_a_form_and_comes_down_again() {
    let board = Board::start().await;
    // Whatever name and type claim, the content decides.
    let uploaded = board.send(board.form(PNG, "evil.html", "text/html")).await.data();
    let url = uploaded["image_url"].as_str().unwrap();
    let name = url.strip_prefix("/api/uploads/").unwrap();
    assert_eq!(uploaded["image_path"], format!("uploads/{name}"));
    assert!(name.ends_with(".png") && name.len() >= 16 + 4, "{name}");

    let answer = board.request(Method::GET, url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.headers()["cache-control"], "private, max-age=31536000, immutable");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    // What an `<img>` has cached without CORS headers must not be what a `fetch` gets.
    assert_eq!(answer.headers()["vary"], "origin");
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(answer.bytes().await.unwrap(), PNG);

    for tags in [etag.clone(), format!("\"other\", {etag}"), "*".to_owned(), format!("W/{etag}")] {
        let answer = board.request(Method::GET, url).header("if-none-match", &tags).send().await.unwrap();
        assert_eq!(answer.status(), 304, "{tags}");
        assert_eq!(answer.headers()["etag"], etag.as_str());
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    let answer = board.request(Method::GET, url).header("if-none-match", "\"other\"").send().await.unwrap();
    assert_eq!(answer.status(), 200);

    let jpeg = board.send(board.form(JPEG, "x.png", "image/png")).await.data();
    assert!(jpeg["image_url"].as_str().unwrap().ends_with(".jpg"));
    let webp = board.send(board.form(WEBP, "x", "image/webp")).await.data();
    assert!(webp["image_url"].as_str().unwrap().ends_with(".webp"));
    board.send(board.form(b"GIF89a", "x.png", "image/png")).await.refused(415, "UNSUPPORTED_FILE_TYPE");
    board.stop().await;
}

#[tokio::test]
async fn a_form_without_a_picture_is_refused() {
    let board = Board::start().await;
    let send = |content_type: &str, body: &str| {
        let request =
            board.request(Method::POST, "/api/upload/image").header("content-type", content_type.to_owned());
        board.send(request.body(body.to_owned()))
    };
    let form = "multipart/form-data; boundary=X";
    let part = |name: &str, content: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\r\n{content}\r\n")
    };
    send(form, &format!("{}--X--\r\n", part("other", "x"))).await.invalid("image");
    send(form, &format!("{}--X--\r\n", part("image", ""))).await.invalid("image");
    send(form, &part("image", "\u{89}PNG")).await.invalid("body");
    send("multipart/form-data", "--X--\r\n").await.invalid("body");
    send("text/plain", "x").await.invalid("content-type");
    send("application/json", "{").await.invalid("body");
    let nothing = board.send(board.request(Method::POST, "/api/upload/image")).await;
    nothing.invalid("content-type");
    board.stop().await;
}

#[tokio::test]
async fn a_permission_is_for_a_possible_picture() {
    let board = Board::start().await;
    let ask = async |body: Value| board.post("/api/upload/image", &body).await;
    ask(json!({"content_type": "image/gif", "size": 5})).await.refused(415, "UNSUPPORTED_FILE_TYPE");
    ask(json!({"content_type": "", "size": 5})).await.refused(415, "UNSUPPORTED_FILE_TYPE");
    ask(json!({"content_type": "image/png", "size": 10 * 1024 * 1024 + 1}))
        .await
        .refused(413, "FILE_TOO_LARGE");
    for size in [json!(0), json!(-1), json!("5"), json!(1.5), json!(null)] {
        ask(json!({"content_type": "image/png", "size": size})).await.invalid("size");
    }
    ask(json!({"size": 5})).await.invalid("content_type");
    ask(json!([1])).await.invalid("body");
    assert!(
        permission(&board, 10 * 1024 * 1024).await["upload"]["expires_at"].as_str().unwrap().ends_with('Z')
    );
    board.stop().await;
}

#[tokio::test]
async fn a_large_picture_goes_straight_to_the_store_and_comes_from_there() {
    let board = Board::start().await;
    let permission = permission(&board, NINE_AND_A_HALF_MB).await;
    let url = permission["upload"]["url"].as_str().unwrap();

    // What a browser asks first.
    let names: Vec<&str> =
        permission["upload"]["headers"].as_object().unwrap().keys().map(String::as_str).collect();
    let preflight = board
        .request(Method::OPTIONS, url)
        .header("origin", "https://studio.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", names.join(","));
    let answer = board.send(preflight).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.headers.contains_key("access-control-allow-origin"));

    // The length is signed, and so is that there is nothing yet.
    assert_eq!(put(&board, &permission, large_png(NINE_AND_A_HALF_MB - 1)).await.status(), 403);
    let stored = put(&board, &permission, large_png(NINE_AND_A_HALF_MB)).await;
    assert_eq!(stored.status(), 200);
    assert!(stored.headers().contains_key("access-control-allow-origin"));
    assert_eq!(put(&board, &permission, large_png(NINE_AND_A_HALF_MB)).await.status(), 412);

    let image_url = permission["image_url"].as_str().unwrap();
    let redirect = board.request(Method::GET, image_url).send().await.unwrap();
    assert_eq!(redirect.status(), 302);
    assert_eq!(redirect.headers()["vary"], "origin");
    let age: u32 =
        redirect.headers()["cache-control"].to_str().unwrap().rsplit('=').next().unwrap().parse().unwrap();
    let location = redirect.headers()["location"].to_str().unwrap();
    let life =
        location.split("X-Amz-Expires=").nth(1).unwrap().split('&').next().unwrap().parse::<u32>().unwrap();
    assert!(age < life && life <= 3600, "{age} {life}");
    // After a redirect across origins a browser's origin is `null`.
    let picture = board.request(Method::GET, location).header("origin", "null").send().await.unwrap();
    assert_eq!(picture.status(), 200);
    assert_eq!(picture.headers()["content-type"], "image/png");
    assert!(picture.headers().contains_key("access-control-allow-origin"));
    let etag = picture.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(picture.bytes().await.unwrap().len(), NINE_AND_A_HALF_MB);

    let unchanged = board.request(Method::GET, image_url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(unchanged.status(), 304);
    board.stop().await;
}

#[tokio::test]
async fn what_was_never_uploaded_is_not_found() {
    let board = Board::start().await;
    let url = board.upload(PNG).await;
    for path in [
        "/api/uploads/0123456789abcdef0123.png",
        "/api/uploads/short.png",
        "/api/uploads/0123456789abcdef0123.gif",
        "/api/uploads/0123456789abcdef0123",
        "/api/uploads/..%2F..%2Fetc%2Fpasswd",
        &url.replace(".png", ".jpg"),
    ] {
        let answer = board.get(path).await;
        assert!(!answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
        answer.refused(404, "IMAGE_NOT_FOUND");
    }
    let request =
        board.request(Method::GET, "/api/uploads/0123456789abcdef0123.png").header("if-none-match", "*");
    board.send(request).await.refused(404, "IMAGE_NOT_FOUND");
    board.stop().await;
}

#[tokio::test]
async fn a_form_that_lambda_cannot_take_is_refused_by_the_gateway() {
    let board = Board::start().await;
    let upload = |size: usize| board.send(board.form(&large_png(size), "large.png", "image/png"));
    assert_eq!(upload(4_400_000).await.status, 200);
    assert_eq!(upload(4_900_000).await.status, 413);
    assert_eq!(upload(11_000_000).await.status, 413);
    board.stop().await;
}

/// The header of a PNG of this size.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut content = PNG.to_vec();
    content[16..20].copy_from_slice(&width.to_be_bytes());
    content[20..24].copy_from_slice(&height.to_be_bytes());
    content
}

/// A JPEG with this much metadata before its size.
fn jpeg(metadata: usize, width: u16, height: u16) -> Vec<u8> {
    let mut content = b"\xFF\xD8".to_vec();
    for _ in 0..metadata.div_ceil(60_000) {
        content.extend(b"\xFF\xE1\xEA\x62");
        content.resize(content.len() + 60_000, 0);
    }
    content.extend(b"\xFF\xC0\x00\x0B\x08");
    content.extend(height.to_be_bytes());
    content.extend(width.to_be_bytes());
    content.extend(b"\x01\x01\x11\x00");
    content
}

/// Puts a picture straight into the store: its `image_url`.
async fn stored(board: &Board, content: Vec<u8>, content_type: &str) -> String {
    let announced = json!({"content_type": content_type, "size": content.len()});
    let permission = board.post("/api/upload/image", &announced).await.data();
    assert_eq!(put(board, &permission, content).await.status(), 200);
    permission["image_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pictures_of_impossible_sizes_are_refused_by_their_headers() {
    let bounds = [("MinImageSide", "300"), ("MaxImageSide", "6000"), ("MaxImageRatio", "2.5")];
    let board = Board::start_with(|config| {
        for (name, value) in bounds {
            config.parameters.insert(name.to_owned(), value.to_owned());
        }
    })
    .await;
    let id = board.connect().await.create().await;
    let generate = async |image_url: &str| {
        board.post("/api/generate/video", &json!({"workspace_id": id, "image_url": image_url})).await
    };
    for (width, height) in [(50_000, 50_000), (u32::MAX, u32::MAX), (6_001, 6_000), (299, 400), (300, 751)] {
        board.send(board.form(&png(width, height), "x", "image/png")).await.invalid("image");
        // What goes straight to the store is looked at when it is used, and changes nothing.
        let url = stored(&board, png(width, height), "image/png").await;
        generate(&url).await.invalid("image_url");
    }
    for broken in
        [&png(640, 480)[..20], b"\xFF\xD8\xFF\xE0 and so on", b"RIFF\x10\x00\x00\x00WEBPnone\0\0\0\0\0\0"]
    {
        board.send(board.form(broken, "x", "image/png")).await.refused(415, "UNSUPPORTED_FILE_TYPE");
        let url = stored(&board, broken.to_vec(), "image/jpeg").await;
        generate(&url).await.refused(415, "UNSUPPORTED_FILE_TYPE");
    }
    assert_eq!(board.workspace(&id).await["video"]["status"], "pending");
    assert_eq!(board.vendor_tasks().await.len(), 0);

    board.send(board.form(&jpeg(200_000, 640, 480), "x", "image/jpeg")).await.data();
    let url = stored(&board, jpeg(200_000, 640, 480), "image/jpeg").await;
    generate(&url).await.data();
    board.stop().await;
}

#[tokio::test]
async fn a_bomb_is_refused_by_a_board_as_it_comes() {
    let board = Board::start().await;
    board.send(board.form(&png(8_193, 8_193), "x", "image/png")).await.invalid("image");
    board.send(board.form(&png(8_192, 8_192), "x", "image/png")).await.data();
    let details: Value =
        board.send(board.form(&png(1, 101), "x", "image/png")).await.refused(400, "INVALID_PARAMS");
    assert_eq!(details["field"], "image");
    board.stop().await;
}
