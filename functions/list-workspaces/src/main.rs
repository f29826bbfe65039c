//! `GET /api/workspaces`: the owner's board, or a page of it (contract §2, §6).

use std::{io, sync::Arc};

use lambda_http::{Body, Error, Request, RequestExt, Response};
use serde::Serialize;
use shared::{
    edge::{
        addresses::Addresses,
        rest::{self, RestError},
        settings::{Settings, SettingsError},
    },
    model::{ImageName, InvalidData, Owner, Timestamp, Workspace},
    service::workspaces::{Cursor, Workspaces},
};

/// What the workspaces of one answer may take: a Lambda's answer ends at 6 MB, in which the body is a JSON string, so
/// that every quote and backslash counts twice. The rest is for the envelope and the headers.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024 - 64 * 1024;
const MAX_LIMIT: usize = 200;

/// What the requests of a process share.
struct App {
    workspaces: Workspaces,
    addresses: Addresses,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rest::serve(App::new, list).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let workspaces = Workspaces::new(&settings.database().await?);
        Ok(Self { workspaces, addresses: settings.addresses()? })
    }
}

async fn list(app: Arc<App>, request: Request, owner: Owner) -> Result<Response<Body>, RestError> {
    #[derive(Serialize)]
    struct Answer {
        workspaces: Vec<Workspace>,
        next_cursor: Option<String>,
    }
    let query = request.query_string_parameters();
    let limit = query.first("limit").map(parse_limit).transpose()?;
    let cursor = query.first("cursor").map(parse_cursor).transpose()?;
    let (key, now) = (owner.key(), Timestamp::now());
    let mut used = 0;
    let fits = |workspace: &mut Workspace| {
        if let Some(name) = workspace.image_url.as_ref().and_then(|url| ImageName::from_image_url(url).ok()) {
            workspace.image_url = Some(app.addresses.of(&key, &name, now));
        }
        for url in workspace.video.urls_mut() {
            *url = app.addresses.of_video(&key, std::mem::take(url), now);
        }
        used += escaped_size(workspace);
        used <= MAX_ANSWER_BYTES
    };
    let page = app.workspaces.list(&owner, cursor, limit, fits).await?;
    Ok(rest::ok(&Answer { workspaces: page.workspaces, next_cursor: page.next.map(Cursor::encode) }))
}

fn parse_limit(text: &str) -> Result<usize, InvalidData> {
    match text.parse() {
        Ok(limit @ 1..=MAX_LIMIT) if !text.starts_with('+') => Ok(limit),
        _ => Err(InvalidData::new("limit", format!("limit 必须是 1 到 {MAX_LIMIT} 之间的整数"))),
    }
}

fn parse_cursor(text: &str) -> Result<Cursor, InvalidData> {
    Cursor::parse(text).map_err(|_| InvalidData::new("cursor", "cursor 无效，请使用上一页返回的 next_cursor"))
}

/// The size of `workspace` as JSON inside a JSON string, and a comma.
fn escaped_size(workspace: &Workspace) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() + bytes.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(1);
    // Counting can't fail, and there is nothing in a workspace that JSON can't hold.
    let _ = serde_json::to_writer(&mut count, workspace);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shared::model::OrderIndex;

    use super::*;

    #[test]
    fn the_size_is_that_of_the_escaped_json() {
        let id = "00ff10a2b3c4d5e6f7081920".parse().unwrap();
        let mut workspace = Workspace::new(id, OrderIndex::FIRST, Timestamp::from_millis(0));
        workspace.form_data.insert("x".into(), Value::from("a \"b\" \\ \n 字"));
        let json = serde_json::to_string(&workspace).unwrap();
        let in_a_string = serde_json::to_string(&json).unwrap();
        assert_eq!(escaped_size(&workspace), in_a_string.len() - 2 + 1);
    }

    #[test]
    fn limits_are_not_clamped() {
        assert_eq!(parse_limit("200"), Ok(200));
        for bad in ["0", "201", "", "-1", "+5", "1.5", "x"] {
            assert_eq!(parse_limit(bad).unwrap_err().field, "limit");
        }
    }
}
