//! `POST /api/ai/suggest`: asks the chat model, keeps and tells what it proposes (contract §2, §6).

mod picture;

use std::sync::Arc;

use lambda_http::{Body, Error, Request, Response};
use serde_json::json;
use shared::{
    edge::{
        function::note,
        rest::{self, RestError},
        settings::{self, Settings, SettingsError},
    },
    model::{CollaborationEntry, Event, Members, MotionParams, Owner, Timestamp, UserInput, WorkspaceId},
    service::{
        chat::{ChatError, ChatModel, Question},
        images::Images,
        push::Pusher,
        quotas::{Quotas, Rate},
        workspaces::Workspaces,
    },
};

/// What the requests of a process share.
struct App {
    workspaces: Workspaces,
    chat: ChatModel,
    images: Images,
    pusher: Pusher,
    quotas: Quotas,
    per_minute: u32,
}

struct SuggestRequest {
    workspace_id: WorkspaceId,
    user_input: UserInput,
    current_params: MotionParams,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    rest::serve(App::new, suggest).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            workspaces: Workspaces::new(&database),
            chat: settings.chat_model()?,
            images: settings.images()?,
            pusher: settings.pusher(&database)?,
            quotas: Quotas::new(&database),
            per_minute: settings::number("SUGGESTIONS_PER_MINUTE")?,
        })
    }
}

async fn suggest(app: Arc<App>, request: Request, owner: Owner) -> Result<Response<Body>, RestError> {
    let SuggestRequest { workspace_id, user_input, current_params } = parse(&request)?;
    note("workspace_id", workspace_id);
    let snapshot = app.workspaces.snapshot(&owner, workspace_id).await?;
    let snapshot = snapshot.ok_or_else(RestError::workspace_not_found)?;
    app.quotas.take(&owner, Rate::SUGGESTIONS, app.per_minute).await??;
    let picture = match &snapshot.image {
        Some(name) if app.chat.has_vision() => picture::fetch(&app.images, &owner.key(), name).await,
        _ => None,
    };
    let current_params = current_params.or_form(&snapshot.form_data);
    let question =
        Question { user_input: &user_input, current_params: &current_params, picture: picture.as_ref() };
    let suggestions = app.chat.suggest(&question).await.map_err(failed)?;
    let entry = CollaborationEntry {
        user_input: user_input.as_str().to_owned(),
        suggestions: suggestions.clone(),
        created_at: Timestamp::now(),
    };
    let updated_at = app.workspaces.add_suggestions(&owner, workspace_id, &entry).await?;
    let updated_at = updated_at.ok_or_else(RestError::workspace_not_found)?;
    app.pusher.tell_all(&owner, &Event::Suggested { workspace_id, entry, updated_at }).await;
    Ok(rest::ok(&json!({"suggestions": suggestions})))
}

fn failed(error: ChatError) -> RestError {
    match error {
        ChatError::Refused => {
            // Not an error of anybody's: what a person wrote is his own.
            tracing::info!("refused by the chat service's moderation");
            RestError::third_party("内容未通过 AI 服务的审核，请修改后重试")
        }
        error => RestError::third_party_failed("AI 服务暂时无法给出建议，请稍后重试", error),
    }
}

fn parse(request: &Request) -> Result<SuggestRequest, RestError> {
    let body = rest::json_body(request)?;
    let members = Members::of(&body, "body")?;
    let id = members.str("workspace_id")?;
    let user_input = UserInput::new(members.str("user_input")?)?;
    let context = members.optional_members("context")?;
    let current_params =
        context.map(|context| context.optional_members("current_params")).transpose()?.flatten();
    let current_params = current_params.map(MotionParams::parse).transpose()?.unwrap_or_default();
    let workspace_id = id.parse().map_err(|_| RestError::workspace_not_found())?;
    Ok(SuggestRequest { workspace_id, user_input, current_params })
}
