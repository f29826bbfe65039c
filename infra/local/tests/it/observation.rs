//! What can be seen of a board from outside: ids that lead from a request to all that comes of it, and metrics.

use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::{board::Board, studio::Studio};

/// What the metrics of these lines say.
fn measured<'a>(lines: &'a [Value], name: &str) -> Option<&'a Vec<Value>> {
    let line = lines.iter().find(|line| line.get("_aws").is_some())?;
    let definitions = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    definitions.iter().any(|definition| definition["Name"] == name).then(|| line[name].as_array().unwrap())
}

#[tokio::test]
async fn one_id_leads_from_the_request_through_the_execution_to_what_the_owner_is_told() {
    let mut studio = Studio::open().await;
    let answer = studio.board.send(studio.generate("a kite")).await;
    let id = answer.headers["apigw-requestid"].to_str().unwrap().to_owned();
    let task = answer.data()["task_id"].clone();
    studio.expect("generating").await;

    let input = studio.board.execution_input().await;
    assert_eq!((&input["correlation_id"], &input["task_id"]), (&json!(id), &task));
    studio.expect("completed").await;
    // Asked once more, it tells once more, and says whom and whose.
    let (_, lines) = studio.board.invoke_and_listen("PollVideoFunction", &input).await;
    assert_eq!(measured(&lines, "PushesSent"), Some(&vec![json!(1.0)]));
    let line = lines.iter().find(|line| line.get("_aws").is_some()).unwrap();
    for (name, value) in [
        ("correlation_id", &input["correlation_id"]),
        ("workspace_id", &input["workspace_id"]),
        ("generation_id", &input["generation_id"]),
        ("task_id", &task),
        ("function", &json!("PollVideoFunction")),
        ("Stack", &json!("local")),
    ] {
        assert_eq!(line[name], *value, "{name}");
    }
    studio.board.stop().await;
}

#[tokio::test]
async fn a_line_about_a_failure_says_which_request_it_was() {
    let board = Board::start().await;
    let mut event: Value = serde_json::from_str(include_str!("../../../events/poll-video.json")).unwrap();
    event["failure"] = json!({"Error": "States.Timeout", "Cause": ""});
    let (_, lines) = board.invoke_and_listen("PollVideoFunction", &event).await;
    let line = lines.iter().find(|line| line["message"] == "execution given up").unwrap();
    assert_eq!((&line["level"], &line["error"]), (&json!("ERROR"), &json!("States.Timeout")));
    for name in ["correlation_id", "workspace_id", "generation_id", "task_id"] {
        assert_eq!(line["span"][name], event[name], "{name}");
    }
    assert!(line["span"]["request_id"].is_string());
    board.stop().await;
}

#[tokio::test]
async fn what_happens_is_counted() {
    let board = Board::start().await;
    let _watching = board.connect().await;
    let frame = |kind: &str, data: Value| {
        let mut event: Value = serde_json::from_str(include_str!("../../../events/ws-message.json")).unwrap();
        event["body"] = json!({"type": kind, "data": data}).to_string().into();
        event
    };
    let create = frame("workspace.create", json!({}));
    let (answer, lines) = board.invoke_and_listen("WsMessageFunction", &create).await;
    assert_eq!(measured(&lines, "ColdStarts"), Some(&vec![json!(1.0)]));
    assert_eq!(measured(&lines, "PushesSent"), Some(&vec![json!(1.0)]));
    assert!(measured(&lines, "AcknowledgementTime").unwrap()[0].as_f64().unwrap() > 0.0);
    assert_eq!(measured(&lines, "Conflicts"), None);
    let created: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let id = &created["data"]["workspace_id"];
    let late =
        json!({"workspace_id": id, "updates": {"form_data.motion_prompt": "x"}, "client_timestamp": 1});
    let (_, lines) = board.invoke_and_listen("WsMessageFunction", &frame("workspace.update", late)).await;
    assert_eq!(measured(&lines, "Conflicts"), Some(&vec![json!(1.0)]));
    // Pings are most of all frames, and leave no line, but a process's first.
    let ping = serde_json::from_str(include_str!("../../../events/ws-message.json")).unwrap();
    let (_, lines) = board.invoke_and_listen("WsMessageFunction", &ping).await;
    assert!(lines.is_empty() || measured(&lines, "ColdStarts").is_some() && lines.len() == 1);
    assert_eq!(measured(&lines, "AcknowledgementTime"), None);
    board.stop().await;
}

#[tokio::test]
async fn generations_and_the_vendor_are_counted() {
    let studio = Studio::open().await;
    let event = |prompt: &str| {
        let mut event: Value =
            serde_json::from_str(include_str!("../../../events/generate-video.json")).unwrap();
        let body = json!({"workspace_id": studio.id, "image_url": studio.image_url, "params": {"motion_prompt": prompt}});
        event["body"] = body.to_string().into();
        event
    };
    let (answer, lines) = studio.board.invoke_and_listen("GenerateVideoFunction", &event("#refuse")).await;
    assert_eq!(answer["statusCode"], 502);
    assert_eq!(measured(&lines, "GenerationsRefused"), Some(&vec![json!(1.0)]));
    assert_eq!(measured(&lines, "VendorCalls"), Some(&vec![json!(1.0)]));
    assert_eq!(measured(&lines, "VendorErrors"), None, "the refusal is about the request");
    let (answer, lines) = studio.board.invoke_and_listen("GenerateVideoFunction", &event("#stall")).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(measured(&lines, "GenerationsStarted"), Some(&vec![json!(1.0)]));

    let mut poll = studio.board.execution_input().await;
    poll["deadline_ms"] = json!(0);
    let (_, lines) = studio.board.invoke_and_listen("PollVideoFunction", &poll).await;
    assert_eq!(measured(&lines, "GenerationsOverdue"), Some(&vec![json!(1.0)]));
    assert_eq!(measured(&lines, "VendorTime").unwrap().len(), 1);
    studio.board.stop().await;
}

#[tokio::test]
async fn no_line_says_what_somebody_typed() {
    // Nothing listens on port 1: the chat model fails, and that is logged.
    let board = Board::guarded_with(&[("ChatUrl", "http://127.0.0.1:1/geheim")]).await;
    let id = board.member("alice").connect().await.create().await;
    let mut event: Value = serde_json::from_str(include_str!("../../../events/suggest-params.json")).unwrap();
    event["headers"]["authorization"] = format!("Bearer {}", crate::member::token("alice")).into();
    event["rawQueryString"] = "token=geheim".into();
    event["body"] = json!({"workspace_id": id, "user_input": "geheim"}).to_string().into();
    let (answer, lines) = board.invoke_and_listen("SuggestParamsFunction", &event).await;
    assert_eq!(answer["statusCode"], 502);
    assert!(lines.iter().any(|line| line["message"] == "request failed"));
    assert!(
        !lines.iter().any(|line| line.to_string().contains("geheim") || line.to_string().contains("Bearer"))
    );
    board.stop().await;
}

#[tokio::test]
async fn what_an_event_fails_with_is_said_once_and_says_why() {
    let board = Board::start_with_parameter("VideoVendorUrl", "http://127.0.0.1:1").await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    // As if a vendor that is gone now had accepted a task for it.
    let running = doc! {"video.status": "generating", "video.generation": {"id": "event", "attempt": 0}};
    board.rows("workspaces").update_one(doc! {}, doc! {"$set": running}).await.unwrap();
    let mut event: Value = serde_json::from_str(include_str!("../../../events/poll-video.json")).unwrap();
    event["workspace_id"] = json!(id);
    event["deadline_ms"] = json!(i64::MAX);
    let (answer, lines) = board.try_to_listen("PollVideoFunction", &event).await;
    assert_eq!(answer, None);
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let said = errors[0]["error"].as_str().unwrap();
    assert!(said.contains("no answer of the vendor: ") && !said.contains("task_event"), "{said}");
    assert_eq!(errors[0]["error_type"], "VendorUnavailable");
    assert!(errors[0]["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    board.stop().await;
}
