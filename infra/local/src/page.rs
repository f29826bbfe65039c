//! `GET /`: the files of `web/`, as a static host would serve them, so that a page needs neither Node nor a second origin.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, request};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tower_http::services::ServeDir;

/// Where the files are, below the project's root.
const DIRECTORY: &str = "web";
/// What `/` is. No other directory has such a file, as behind CloudFront, whose default object is that of the root alone.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DefaultRootObject.html>
const INDEX: &str = "index.html";

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// The page of a project, if it has one.
#[derive(Clone)]
pub struct Page {
    directory: PathBuf,
    files: ServeDir,
    headers: HeaderMap,
}

impl Page {
    /// The page below the project's `root`, for who comes by the public `port` and is sent on to `s3`. Its files are read
    /// each time, so that one who writes them sees them.
    pub fn new(root: &Path, port: u16, s3: &str) -> Result<Self> {
        let directory = root.join(DIRECTORY);
        let policy = policy(port, s3);
        let policy = HeaderValue::try_from(&policy).with_context(|| format!("{policy} is no header"))?;
        let headers = [
            (CONTENT_SECURITY_POLICY, policy),
            // Kept, but asked about each time: a file that was changed is seen at once, another is not sent again.
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            // Addresses of pictures are signed, and those of sockets may hold a token.
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
            (PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=()")),
        ];
        // A directory is no file, and must not become one by a redirect either.
        let files = ServeDir::new(&directory).append_index_html_on_directories(false);
        Ok(Self { directory, files, headers: headers.into_iter().collect() })
    }

    /// Whether there is something to open in a browser.
    pub fn is_there(&self) -> bool {
        self.directory.join(INDEX).is_file()
    }

    /// A file, if a file was asked for. All else is the affair of others, and so is the body of the request.
    pub async fn answer(&self, asked: &request::Parts) -> Option<Response> {
        let path = asked.uri.path();
        if !matches!(asked.method, Method::GET | Method::HEAD) || !is_plain(path) {
            return None;
        }
        let mut request = Request::new(Body::empty());
        *request.method_mut() = asked.method.clone();
        *request.headers_mut() = asked.headers.clone();
        *request.uri_mut() = if path == "/" { Uri::from_static("/index.html") } else { asked.uri.clone() };
        let mut response = match self.files.clone().try_call(request).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => return None,
            Ok(response) => response.map(Body::new),
            Err(error) if is_no_file(&error) => return None,
            Err(error) => {
                let reason = format!("{DIRECTORY}{path} cannot be read: {error}");
                (StatusCode::INTERNAL_SERVER_ERROR, reason).into_response()
            }
        };
        response.headers_mut().extend(self.headers.clone());
        Some(response)
    }
}

/// What a page may do: run its own scripts, speak with this stack, and nothing else. Pictures and videos come from S3 by a
/// redirect, which the policy holds for too, and large pictures go there; videos that are not copied are at a vendor's, of whom
/// the simulated one names this port by its number. `ws:` is written out, since for older browsers it is not a part of `'self'`.
/// <https://www.w3.org/TR/CSP3/#match-url-to-source-expression>
fn policy(port: u16, s3: &str) -> String {
    let http = format!("http://localhost:{port} http://127.0.0.1:{port}");
    let ws = format!("ws://localhost:{port} ws://127.0.0.1:{port}");
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        &format!("img-src 'self' blob: {s3}"),
        &format!("media-src 'self' blob: https: {s3} {http}"),
        &format!("connect-src 'self' {s3} {ws}"),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    .join("; ")
}

/// One path for each file, and none for those that begin with a dot, which are an editor's or a tool's. That nothing leads
/// out of the directory is the library's care as well.
fn is_plain(path: &str) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    !path.contains("/.") && !path.contains("//")
}

/// Whether there is no such file, or can be none of this name.
fn is_no_file(error: &io::Error) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename | InvalidInput)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use axum::body::to_bytes;
    use axum::http::header::{
        CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
    };
    use tempfile::TempDir;

    use super::*;

    const S3: &str = "http://127.0.0.1:9";

    /// A project with a page, and with what must not be seen of it.
    struct Project {
        root: TempDir,
        page: Page,
    }

    impl Project {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("web/sub/dir")).unwrap();
            for (file, text) in [
                ("secret.txt", "secret"),
                ("web/index.html", "<!doctype html>首页"),
                ("web/app.js", "let a"),
                ("web/sub/index.html", "below"),
                ("web/sub/two words.svg", "<svg/>"),
                ("web/.env", "secret"),
                ("web/sub/.git", "secret"),
            ] {
                fs::write(root.path().join(file), text).unwrap();
            }
            let page = Page::new(root.path(), 3001, S3).unwrap();
            Self { root, page }
        }

        async fn ask(&self, request: request::Builder) -> Option<(StatusCode, HeaderMap, String)> {
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let (parts, body) = self.page.answer(&parts).await?.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Some((parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap()))
        }

        async fn get(&self, path: &str) -> Option<(StatusCode, HeaderMap, String)> {
            self.ask(Request::get(path)).await
        }
    }

    #[tokio::test]
    async fn files_are_served_as_they_are_with_their_types_and_a_strict_policy() {
        let project = Project::new();
        assert!(project.page.is_there());
        let (status, headers, body) = project.get("/?tab=1").await.unwrap();
        assert_eq!((status, body.as_str()), (StatusCode::OK, "<!doctype html>首页"));
        assert_eq!(
            headers[CONTENT_SECURITY_POLICY],
            "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; manifest-src 'self'; \
             img-src 'self' blob: http://127.0.0.1:9; \
             media-src 'self' blob: https: http://127.0.0.1:9 http://localhost:3001 http://127.0.0.1:3001; \
             connect-src 'self' http://127.0.0.1:9 ws://localhost:3001 ws://127.0.0.1:3001; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[CROSS_ORIGIN_OPENER_POLICY], "same-origin");
        assert!(headers.contains_key(PERMISSIONS_POLICY));

        for (name, content_type) in [
            ("index.html", "text/html"),
            ("app.js", "text/javascript"),
            ("style.css", "text/css"),
            ("icon.svg", "image/svg+xml"),
            ("icon.png", "image/png"),
            ("font.woff2", "font/woff2"),
            ("app.webmanifest", "application/manifest+json"),
            ("data.json", "application/json"),
        ] {
            let file = project.root.path().join("web").join(name);
            // Written while the stack runs.
            fs::write(file, name).unwrap();
            let (status, headers, body) = project.get(&format!("/{name}")).await.unwrap();
            assert_eq!((status, body.as_str()), (StatusCode::OK, name));
            assert_eq!(headers[CONTENT_TYPE], content_type, "{name}");
        }
        assert_eq!(project.get("/sub/two%20words.svg").await.unwrap().2, "<svg/>");
    }

    #[tokio::test]
    async fn nothing_but_the_files_of_the_directory_is_answered_for() {
        let project = Project::new();
        let long = format!("/{}", "a".repeat(300));
        for path in [
            "/nothing",
            "/nothing/app.js",
            "/app.js/",
            "/app.js/x",
            "/sub",
            "/sub/",
            "/sub/dir",
            "/sub/dir/",
            "//",
            "//app.js",
            "/%2fapp.js",
            "/sub//index.html",
            "/./app.js",
            "/sub/../app.js",
            "/../secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e/secret.txt",
            "/%2E%2E%2Fsecret.txt",
            "/%252e%252e/secret.txt",
            "/sub/..%2f..%2fsecret.txt",
            "/..%5csecret.txt",
            "/.env",
            "/%2eenv",
            "/sub/.git",
            "/%00",
            "/app.js%00",
            "/app.js%00.html",
            "/%ff",
            &long,
        ] {
            for method in [Method::GET, Method::HEAD] {
                let answer = project.ask(Request::builder().method(&method).uri(path)).await;
                assert!(answer.is_none(), "{method} {path}: {answer:?}");
            }
        }
        let outside = project.root.path().join("secret.txt");
        assert!(project.get(outside.to_str().unwrap()).await.is_none());
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            assert!(project.ask(Request::builder().method(method).uri("/")).await.is_none(), "{method}");
        }
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again_until_it_is_changed() {
        let project = Project::new();
        let (_, first, _) = project.get("/app.js").await.unwrap();
        for (name, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
            let again = Request::get("/app.js").header(&name, &first[validator]);
            let (status, headers, body) = project.ask(again).await.unwrap();
            assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{name}");
            assert_eq!(headers[CACHE_CONTROL], "no-cache");
        }
        fs::write(project.root.path().join("web/app.js"), "let b = 1").unwrap();
        let again = Request::get("/app.js").header(IF_NONE_MATCH, &first[ETAG]);
        assert_eq!(project.ask(again).await.unwrap().2, "let b = 1");

        let (status, headers, body) = project.ask(Request::head("/")).await.unwrap();
        assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
        assert_eq!(headers[CONTENT_LENGTH], "<!doctype html>首页".len().to_string());
        let (status, _, body) =
            project.ask(Request::get("/app.js").header(RANGE, "bytes=4-4")).await.unwrap();
        assert_eq!((status, body.as_str()), (StatusCode::PARTIAL_CONTENT, "b"));
    }

    #[tokio::test]
    async fn a_project_without_a_page_has_none_and_a_broken_file_says_so() {
        let root = tempfile::tempdir().unwrap();
        let page = Page::new(root.path(), 3001, S3).unwrap();
        assert!(!page.is_there());
        let project = Project { root, page };
        assert!(project.get("/").await.is_none() && project.get("/app.js").await.is_none());

        fs::create_dir(project.root.path().join("web")).unwrap();
        // Links that lead to each other can be opened by nobody, not even by root.
        symlink("loop.js", project.root.path().join("web/loop.js")).unwrap();
        let (status, _, body) = project.get("/loop.js").await.unwrap();
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.starts_with("web/loop.js cannot be read: "), "{body}");
    }
}
