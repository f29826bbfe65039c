//! `GET /_local/docs`: `docs/openapi.yaml` and `docs/asyncapi.yaml` as a page to read, without Node and without a network.

mod markdown;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use pulldown_cmark::{Options, Parser, html};
use serde_json::Value;

use crate::template::yaml;

/// Where the page is.
pub const PATH: &str = "/_local/docs";

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1e21; background: #fff }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f2f4f7; border-radius: 4px }
code { padding: 1px 4px } pre { padding: 12px; overflow: auto } pre code { padding: 0 }
table { border-collapse: collapse } td, th { border: 1px solid #d5d9e0; padding: 4px 10px; text-align: left; vertical-align: top }
h1, h2 { border-bottom: 1px solid #d5d9e0; padding-bottom: 4px; margin-top: 3rem } h3 { margin-top: 2.5rem }
li > p { margin: 0 } a { color: #1558b0 }
@media (prefers-color-scheme: dark) {
  body { color: #e4e6eb; background: #18191a } code, pre { background: #2a2c2f }
  td, th, h1, h2 { border-color: #3a3d42 } a { color: #8ab4f8 }
}";

/// The page, of the descriptions below the project's `root`. They are read each time, so that one who writes them sees them.
pub fn router(root: &Path) -> Router {
    Router::new().route(PATH, get(page)).with_state(Arc::new(root.to_owned()))
}

async fn page(State(root): State<Arc<PathBuf>>) -> Response {
    match render(&root) {
        Ok(page) => {
            let policy = "default-src 'none'; style-src 'unsafe-inline'";
            ([(CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

fn render(root: &Path) -> Result<String> {
    let (rest, socket) = (read(root, "docs/openapi.yaml")?, read(root, "docs/asyncapi.yaml")?);
    let text = markdown::reference(&rest, &socket);
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut body = String::new();
    html::push_html(&mut body, Parser::new_ext(&text, options));
    Ok(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Motionboard API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>{body}</html>"
    ))
}

fn read(root: &Path, file: &str) -> Result<Value> {
    let text = fs::read_to_string(root.join(file)).with_context(|| format!("{file} cannot be read"))?;
    yaml::parse(&text).with_context(|| format!("{file} is broken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_route_and_every_frame_and_leads_nowhere_that_is_not_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let page = render(&root).unwrap();
        let (rest, socket) =
            (read(&root, "docs/openapi.yaml").unwrap(), read(&root, "docs/asyncapi.yaml").unwrap());
        for (path, item) in rest["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                assert!(page.contains(&format!("{} {path}</h3>", method.to_uppercase())), "{method} {path}");
            }
        }
        for message in socket["components"]["messages"].as_object().unwrap().values() {
            assert!(page.contains(message["title"].as_str().unwrap()), "{message}");
        }
        let links = regex::Regex::new("href=\"#([^\"]+)\"").unwrap();
        let mut count = 0;
        for link in links.captures_iter(&page) {
            assert!(page.contains(&format!("id=\"{}\"", &link[1])), "{}", &link[1]);
            count += 1;
        }
        assert!(count > 50, "{count} links");
    }
}
