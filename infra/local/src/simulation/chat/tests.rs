use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::router;

struct Answer {
    status: u16,
    retry_after: Option<String>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }

    fn content(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    }

    fn suggestions(&self) -> Value {
        serde_json::from_str(&self.content()).unwrap()
    }

    fn finish_reason(&self) -> String {
        self.json()["choices"][0]["finish_reason"].as_str().unwrap().to_owned()
    }
}

struct Chat(axum::Router);

impl Chat {
    async fn ask(&self, body: &Value) -> Answer {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/chat/completions")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        let service = hyper_util::service::TowerToHyperService::new(self.0.clone());
        let response = hyper::service::Service::call(&service, request).await.unwrap();
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").map(|it| it.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, retry_after, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn say(&self, user_input: &str) -> Answer {
        self.ask(&request(user_input, Value::Null)).await
    }

    /// The same after a first answer.
    async fn repair(&self, user_input: &str) -> Answer {
        let mut body = request(user_input, Value::Null);
        let more =
            [json!({"role": "assistant", "content": "?"}), json!({"role": "user", "content": "Again."})];
        body["messages"].as_array_mut().unwrap().extend(more);
        self.ask(&body).await
    }
}

fn chat() -> Chat {
    Chat(router())
}

fn request(user_input: &str, current: Value) -> Value {
    let content = json!({"user_input": user_input, "current_params": current}).to_string();
    json!({
        "model": "m",
        "messages": [{"role": "system", "content": "Answer in JSON."}, {"role": "user", "content": content}],
        "response_format": {"type": "json_object"},
        "enable_thinking": false,
    })
}

#[tokio::test]
async fn suggests_by_the_words_of_the_user() {
    let current = json!({"camera_movement": "推进", "lighting": ""});
    let answer = chat().ask(&request("换一个更有空间感的运镜，夕阳下", current)).await;
    assert_eq!(answer.finish_reason(), "stop");
    let answer = answer.suggestions();
    assert_eq!(answer["camera_movement"], "环绕");
    assert_eq!(answer["lighting"], "黄金时刻");
    assert!(answer.get("shot_type").is_none());
    assert_eq!(answer["reasoning"], "根据您的描述：运镜由「推进」改为「环绕」，光线选用「黄金时刻」。");
    assert_eq!(chat().say("好看一点").await.suggestions()["camera_movement"], "推进");
}

#[tokio::test]
async fn fails_on_demand() {
    let chat = chat();
    let failed = async |words: &str| {
        let answer = chat.say(words).await;
        (answer.status, answer.json()["error"]["code"].clone())
    };
    assert_eq!(failed("#fail").await, (500, Value::Null));
    assert_eq!(failed("#refuse").await, (400, json!("content_policy_violation")));
    assert_eq!(failed("#broke").await, (429, json!("insufficient_quota")));
    let page = chat.say("#html").await;
    assert!(page.status == 502 && page.text.starts_with("<html>"));
    for (words, status, retry_after) in [("#busy", 429, Some("1")), ("#down", 503, None)] {
        // As often as somebody tries.
        for _ in 0..2 {
            let answer = chat.say(words).await;
            assert_eq!((answer.status, answer.retry_after.as_deref()), (status, retry_after));
            assert!(chat.say(words).await.suggestions()["reasoning"].is_string());
        }
    }
}

#[tokio::test]
async fn answers_badly_on_demand() {
    let chat = chat();
    let is_json = |answer: Answer| serde_json::from_str::<Value>(&answer.content()).is_ok();
    assert!(!is_json(chat.say("#garbage").await));
    assert!(!is_json(chat.repair("#garbage").await));
    assert!(!is_json(chat.say("#once").await));
    assert!(is_json(chat.repair("#once").await));
    assert_eq!(chat.say("#empty").await.content().trim(), "");
    assert!(is_json(chat.say("#empty").await));
    assert!(chat.say("#extra").await.suggestions()["lighting"].is_array());
    let repaired = chat.repair("#extra").await.suggestions();
    assert!(repaired.get("lighting").is_none() && repaired["mood"].is_string());
    assert!(chat.say("#fenced").await.content().starts_with("<think>"));
    let cut = chat.say("#length").await;
    assert_eq!(cut.finish_reason(), "length");
    assert!(!is_json(cut));
    let filtered = chat.say("#filter").await;
    assert_eq!(filtered.finish_reason(), "content_filter");
    assert!(filtered.json()["choices"][0]["message"]["refusal"].is_string());
    assert!(chat.say("#blank").await.text.starts_with("\n\n"));
    assert_eq!(chat.say("#leak").await.suggestions()["reasoning"], "Answer in JSON.");
}

#[tokio::test]
async fn sees_a_picture_and_keeps_to_a_schema() {
    let mut body = request("运镜", Value::Null);
    let text = body["messages"][1]["content"].clone();
    let mut show = async |url: &str| {
        body["messages"][1]["content"] =
            json!([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]);
        chat().ask(&body).await
    };
    let seen = show("data:image/png;base64,iVBORw0KGgo=").await.suggestions();
    assert_eq!(seen["reasoning"], "根据画面和您的描述：运镜选用「环绕」。");
    for bad in [
        "https://example.com/x.png",
        "data:image/png;base64,/9j/",
        "data:image/png;base64,?",
        "data:text/plain,x",
    ] {
        assert_eq!(show(bad).await.json()["error"]["param"], "messages", "{bad}");
    }

    let mut body = request("运镜", Value::Null);
    let schema = json!({
        "type": "object",
        "properties": {"camera_movement": {"type": ["string", "null"]}, "lighting": {"type": ["string", "null"]}, "reasoning": {"type": "string"}},
        "required": ["reasoning", "lighting", "camera_movement"],
        "additionalProperties": false,
    });
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": schema}});
    let answer = chat().ask(&body).await.suggestions();
    assert_eq!((&answer["camera_movement"], answer.get("lighting")), (&json!("环绕"), Some(&Value::Null)));
    for (pointer, bad) in [
        ("/name", json!("a b")),
        ("/strict", json!(false)),
        ("/schema/type", json!("array")),
        ("/schema/additionalProperties", json!(true)),
        ("/schema/required", json!(["reasoning"])),
        ("/schema/properties/lighting/type", json!("text")),
    ] {
        let mut body = body.clone();
        *body.pointer_mut(&format!("/response_format/json_schema{pointer}")).unwrap() = bad;
        assert_eq!(chat().ask(&body).await.json()["error"]["param"], "response_format", "{pointer}");
    }
}

#[tokio::test]
async fn is_as_strict_as_the_real_ones() {
    let mut silent = request("运镜", Value::Null);
    silent["messages"][0]["content"] = "Answer.".into();
    assert_eq!(chat().ask(&silent).await.json()["error"]["param"], "messages");
    let mut streaming = request("运镜", Value::Null);
    streaming["stream"] = true.into();
    assert_eq!(chat().ask(&streaming).await.status, 400);
    assert_eq!(chat().ask(&json!({"messages": []})).await.status, 400);
    let mut odd = request("运镜", Value::Null);
    odd["response_format"] = json!({"type": "xml"});
    assert_eq!(chat().ask(&odd).await.status, 400);
}
