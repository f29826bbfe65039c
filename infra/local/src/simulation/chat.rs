//! The simulated chat model, OpenAI-compatible: `POST /chat/completions`.
//!
//! It reads the last message of the user, JSON `{"user_input", "current_params"}`, and suggests parameters by the
//! words in it: the same words, the same suggestion. Steered by `#fail` (500), `#refuse` (400) and `#garbage` (an
//! answer that is not JSON), as real models now and then do by themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The model's API.
pub fn router() -> Router {
    Router::new().route("/chat/completions", post(complete))
}

#[derive(Debug, Deserialize)]
struct Completion {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    response_format: Value,
    #[serde(default)]
    stream: bool,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: String,
}

async fn complete(body: Result<Json<Completion>, JsonRejection>) -> Response {
    let request = match body {
        Ok(Json(request)) => request,
        Err(rejection) => return failure(StatusCode::BAD_REQUEST, None, &rejection.body_text()),
    };
    if request.stream {
        return failure(StatusCode::BAD_REQUEST, Some("stream"), "The simulated model does not stream.");
    }
    // OpenAI, DeepSeek and Qwen refuse this, so that nobody waits for endless blanks.
    let mentions_json =
        request.messages.iter().any(|message| message.content.to_lowercase().contains("json"));
    if request.response_format["type"] == "json_object" && !mentions_json {
        let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
        return failure(StatusCode::BAD_REQUEST, Some("messages"), message);
    }
    let Some(message) = request.messages.iter().rfind(|message| message.role == "user") else {
        return failure(StatusCode::BAD_REQUEST, Some("messages"), "There is no message of a user.");
    };
    let (user_input, current) = question(&message.content);
    if user_input.contains("#fail") {
        let message = "The server had an error while processing your request.";
        return failure(StatusCode::INTERNAL_SERVER_ERROR, None, message);
    }
    if user_input.contains("#refuse") {
        let message = "Your request was rejected as a result of our safety system.";
        return failure(StatusCode::BAD_REQUEST, None, message);
    }
    let content = match user_input.contains("#garbage") {
        true => "好的！我建议您使用环绕运镜，效果会更好哦～ {\"camera_movement\":".to_owned(),
        false => Value::Object(suggest(&user_input, &current)).to_string(),
    };
    Json(completion(&request, content)).into_response()
}

fn completion(request: &Completion, content: String) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Roughly a token for a character, as with Chinese text.
    let asked: usize = request.messages.iter().map(|message| message.content.chars().count()).sum();
    let answered = content.chars().count();
    json!({
        "id": format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()),
        "object": "chat.completion",
        "created": now,
        "model": request.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
    })
}

fn failure(status: StatusCode, parameter: Option<&str>, message: &str) -> Response {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let error = json!({"message": message, "type": kind, "param": parameter, "code": null});
    (status, Json(json!({"error": error}))).into_response()
}

/// What the user wants, and what is set already.
fn question(content: &str) -> (String, Value) {
    match serde_json::from_str::<Value>(content) {
        Ok(question) => {
            let user_input = question["user_input"].as_str().unwrap_or_default().to_owned();
            (user_input, question["current_params"].clone())
        }
        Err(_) => (content.to_owned(), Value::Null),
    }
}

/// Words, and the value that they suggest. The first row with a word of the input counts.
type Rules = &'static [(&'static [&'static str], &'static str)];

const CAMERA: Rules = &[
    (&["拉远", "zoom out"], "拉远"),
    (&["推进", "靠近", "拉近", "zoom in"], "推进"),
    (&["平移", "横移", "pan"], "平移"),
    (&["跟随", "跟拍", "follow"], "跟随"),
    (&["升起", "俯视", "航拍", "crane"], "升降"),
    (&["固定", "静止", "static"], "固定"),
    (&["运镜", "环绕", "旋转", "orbit"], "环绕"),
];

const SHOT: Rules = &[
    (&["特写", "表情", "细节", "close-up"], "特写"),
    (&["近景"], "近景"),
    (&["中景", "半身"], "中景"),
    (&["全景", "全身"], "全景"),
    (&["远景", "风景", "wide"], "远景"),
];

const LIGHTING: Rules = &[
    (&["夕阳", "黄昏", "日落", "sunset"], "黄金时刻"),
    (&["夜", "霓虹", "night"], "夜景霓虹"),
    (&["逆光", "剪影"], "逆光"),
    (&["柔", "温馨", "soft"], "柔光"),
    (&["光", "light"], "自然光"),
];

const MOTION: Rules = &[
    (&["转身", "回头"], "人物缓缓转身看向镜头"),
    (&["走", "散步", "walk"], "人物向前缓步行走"),
    (&["跑", "奔", "run"], "人物奋力奔跑，衣角飞扬"),
    (&["风", "飘", "wind"], "微风吹动头发与衣角"),
    (&["水", "海", "浪", "wave"], "水面波光粼粼，浪花轻轻拍岸"),
    (&["动作", "动起来", "动态"], "主体自然地动起来，节奏舒缓"),
];

fn choose(rules: Rules, text: &str) -> Option<&'static str> {
    rules.iter().find(|(words, _)| words.iter().any(|word| text.contains(word))).map(|&(_, value)| value)
}

fn suggest(user_input: &str, current: &Value) -> Map<String, Value> {
    let text = user_input.to_lowercase();
    let mut suggestions = Map::new();
    let mut reasons = Vec::new();
    for (name, label, rules) in [
        ("camera_movement", "运镜", CAMERA),
        ("shot_type", "景别", SHOT),
        ("lighting", "光线", LIGHTING),
        ("motion_prompt", "动作", MOTION),
    ] {
        let Some(value) = choose(rules, &text) else { continue };
        reasons.push(match current[name].as_str() {
            Some(old) if old == value => format!("{label}保持「{value}」"),
            Some(old) if !old.is_empty() => format!("{label}由「{old}」改为「{value}」"),
            _ => format!("{label}选用「{value}」"),
        });
        suggestions.insert(name.to_owned(), value.into());
    }
    if suggestions.is_empty() {
        suggestions.insert("camera_movement".to_owned(), "推进".into());
        reasons.push("缓慢推进能突出主体，适合大多数画面".to_owned());
    }
    let reasoning = format!("根据您的描述：{}。", reasons.join("，"));
    suggestions.insert("reasoning".to_owned(), reasoning.into());
    suggestions
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn ask(body: Value) -> (u16, Value) {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/chat/completions")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router());
        let response = hyper::service::Service::call(&service, request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    fn request(user_input: &str, current: Value) -> Value {
        let content = json!({"user_input": user_input, "current_params": current}).to_string();
        json!({
            "model": "m",
            "messages": [{"role": "system", "content": "Answer in JSON."}, {"role": "user", "content": content}],
            "response_format": {"type": "json_object"},
        })
    }

    async fn suggestions(user_input: &str, current: Value) -> Value {
        let (status, answer) = ask(request(user_input, current)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn suggests_by_the_words_of_the_user() {
        let current = json!({"camera_movement": "推进", "lighting": ""});
        let answer = suggestions("换一个更有空间感的运镜，夕阳下", current).await;
        assert_eq!(answer["camera_movement"], "环绕");
        assert_eq!(answer["lighting"], "黄金时刻");
        assert!(answer.get("shot_type").is_none());
        assert_eq!(answer["reasoning"], "根据您的描述：运镜由「推进」改为「环绕」，光线选用「黄金时刻」。");
        let vague = suggestions("好看一点", Value::Null).await;
        assert_eq!(vague["camera_movement"], "推进");
    }

    #[tokio::test]
    async fn misbehaves_on_demand() {
        assert_eq!(ask(request("#fail", Value::Null)).await.0, 500);
        let (status, refusal) = ask(request("#refuse", Value::Null)).await;
        assert_eq!((status, &refusal["error"]["type"]), (400, &json!("invalid_request_error")));
        let (_, garbage) = ask(request("#garbage", Value::Null)).await;
        let content = garbage["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(serde_json::from_str::<Value>(content).is_err());
    }

    #[tokio::test]
    async fn is_as_strict_as_the_real_ones() {
        let mut silent = request("运镜", Value::Null);
        silent["messages"][0]["content"] = "Answer.".into();
        assert_eq!(ask(silent).await.1["error"]["param"], "messages");
        let mut streaming = request("运镜", Value::Null);
        streaming["stream"] = true.into();
        assert_eq!(ask(streaming).await.0, 400);
        assert_eq!(ask(json!({"messages": []})).await.0, 400);
    }
}
