//! Real requests: the SDK signs, reqwest stands for the browser.

use super::*;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use tempfile::TempDir;

const BUCKET: &str = "images";

struct Stack {
    _root: TempDir,
    _handle: Handle,
    address: String,
    s3: Client,
    browser: reqwest::Client,
}

async fn start() -> Stack {
    let root = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let rule = CorsRule {
        allowed_methods: vec![Method::GET, Method::PUT],
        allowed_origins: vec!["*".into()],
        allowed_headers: vec!["content-type".into(), "if-none-match".into()],
        exposed_headers: vec!["ETag".into()],
        max_age: Some(60),
    };
    let buckets =
        vec![Bucket { name: BUCKET.into(), cors: vec![rule] }, Bucket { name: "other".into(), cors: vec![] }];
    let credentials = Credentials { access_key: "local".into(), secret_key: "secret".into() };
    let handle = serve(listener, root.path(), buckets, &credentials, &Faults::none()).unwrap();
    let s3 = client(&address, "secret");
    Stack { _root: root, _handle: handle, address, s3, browser: reqwest::Client::new() }
}

fn client(address: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(address)
        .region(Region::new("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::Credentials::new("local", secret, None, None, "test"))
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

fn minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()
}

impl Stack {
    async fn put(&self, key: &str, body: &'static [u8]) -> Result<(), String> {
        self.s3
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from_static(body))
            .content_type("image/png")
            .cache_control("private")
            .if_none_match("*")
            .send()
            .await
            .map(drop)
            .map_err(|error| error.into_service_error().meta().code().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn a_second_put_with_if_none_match_is_412() {
    let stack = start().await;
    assert_eq!(stack.put("a/b.png", b"first").await, Ok(()));
    assert_eq!(stack.put("a/b.png", b"second").await, Err("PreconditionFailed".into()));
    let object = stack.s3.get_object().bucket(BUCKET).key("a/b.png").send().await.unwrap();
    assert_eq!(object.content_type(), Some("image/png"));
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"first");
}

#[tokio::test]
async fn of_simultaneous_puts_exactly_one_wins() {
    let stack = start().await;
    let puts = (0..16).map(|_| stack.put("race.png", b"picture"));
    let won = futures_util::future::join_all(puts).await.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_browser_uploads_once_with_exactly_what_was_signed() {
    let stack = start().await;
    let put = stack.s3.put_object().bucket(BUCKET).key("p.png").content_type("image/png").content_length(5);
    let url = put.if_none_match("*").presigned(minute()).await.unwrap().uri().to_owned();
    let preflight = stack
        .browser
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", "http://localhost:5173")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-type,if-none-match")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-headers"], "content-type, if-none-match");

    let upload = |body: &'static str, content_type: &'static str| {
        stack
            .browser
            .put(&url)
            .header("origin", "http://localhost:5173")
            .header(CONTENT_TYPE, content_type)
            .header(IF_NONE_MATCH, "*")
            .body(body)
            .send()
    };
    assert_eq!(upload("longer", "image/png").await.unwrap().status(), 403, "another length");
    assert_eq!(upload("right", "text/html").await.unwrap().status(), 403, "another type");
    let done = upload("right", "image/png").await.unwrap();
    assert_eq!(done.status(), 200);
    assert_eq!(done.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(done.headers()["access-control-expose-headers"], "ETag");
    let again = upload("other", "image/png").await.unwrap();
    assert_eq!(again.status(), 412);
    assert_eq!(again.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*", "the page can read the refusal");
    assert!(again.text().await.unwrap().contains("<Code>PreconditionFailed</Code>"));
}

#[tokio::test]
async fn a_presigned_get_knows_ranges_304_and_the_null_origin() {
    let stack = start().await;
    stack.put("g.png", b"0123456789").await.unwrap();
    let get = stack.s3.get_object().bucket(BUCKET).key("g.png").response_content_type("image/webp");
    let url = get.presigned(minute()).await.unwrap().uri().to_owned();

    let whole = stack.browser.get(&url).header("origin", "null").send().await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(whole.headers()[CONTENT_TYPE], "image/webp");
    let etag = whole.headers()[ETAG].clone();
    assert_eq!(whole.text().await.unwrap(), "0123456789");

    let known = stack.browser.get(&url).header(IF_NONE_MATCH, &etag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), &known.headers()[ETAG]), (304, &etag));
    assert_eq!(known.headers()["cache-control"], "private");
    let other = stack.browser.get(&url).header(IF_NONE_MATCH, "\"other\"").send().await.unwrap();
    assert_eq!(other.status(), 200);
    let part = stack.browser.get(&url).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.text().await.unwrap(), "234");

    let forger = client(&stack.address, "guessed").get_object().bucket(BUCKET).key("g.png");
    let forged = forger.presigned(minute()).await.unwrap().uri().to_owned();
    assert_eq!(stack.browser.get(&forged).send().await.unwrap().status(), 403);
    let unsigned = url.split('?').next().unwrap();
    assert_eq!(stack.browser.get(unsigned).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn what_is_not_there_has_the_error_code_of_s3() {
    let stack = start().await;
    let missing = stack.s3.get_object().bucket(BUCKET).key("none.png").send().await.unwrap_err();
    assert!(missing.into_service_error().is_no_such_key());
    let bucket = stack.s3.get_object().bucket("nowhere").key("x").send().await.unwrap_err();
    assert_eq!(bucket.into_service_error().meta().code(), Some("NoSuchBucket"));
    let created = stack.s3.create_bucket().bucket("fresh").send().await.unwrap_err();
    assert_eq!(created.into_service_error().meta().code(), Some("NotImplemented"));
    stack.put("empty.png", b"").await.unwrap();
    let range = stack.s3.get_object().bucket(BUCKET).key("empty.png").range("bytes=0-15").send().await;
    assert_eq!(range.unwrap_err().into_service_error().meta().code(), Some("InvalidRange"));
    let head = stack.s3.head_object().bucket(BUCKET).key("none.png").send().await.unwrap_err();
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_key_stays_in_its_bucket() {
    let stack = start().await;
    stack.put("seen.png", b"x").await.unwrap();
    for key in ["../other/x", "a/../../other/x", "/etc/passwd", "a//b", "./a"] {
        assert_eq!(stack.put(key, b"x").await, Err("InvalidArgument".into()), "{key}");
    }
    let listed = stack.s3.list_objects_v2().bucket("other").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
}
