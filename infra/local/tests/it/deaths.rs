//! Contract §3, §6, and the house's decision 3: whatever dies, at whatever line, nothing acknowledged is lost, nothing is
//! paid twice, and no video hangs in `generating`.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use local::faults::Fault;
use mongodb::bson::doc;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    board::{Answer, Board, PNG, form},
    program::{Running, assert_all_end, program},
    slow_vendor::{SlowVendor, TASK},
    socket::{PATIENCE, Socket, now},
    studio::Studio,
};

/// The function of a frame.
const MESSAGE: &str = "WsMessageFunction";
const GENERATE: &str = "GenerateVideoFunction";
const POLL: &str = "PollVideoFunction";
const KEEP: &str = "KeepVideoFunction";
/// What the sweeper takes for dead, in seconds.
const ABANDONED: i64 = 121;

#[tokio::test]
async fn a_function_that_dies_between_its_write_and_its_pushes_has_written() {
    let board = Board::start().await;
    let (mut writer, mut other) = (board.connect().await, board.connect().await);
    let id = writer.create().await;
    other.expect_push("workspace.created").await;
    board.faults().switch(Fault::HangPush, 1.0);
    let updates = json!({"workspace_id": id, "updates": {"form_data.motion_prompt": "x"}});
    let frame = writer.frame("workspace.update", updates);
    writer.send(&frame).await;
    // It tells the others once the write is done.
    board.faults().struck(Fault::HangPush, 1).await;
    assert_eq!(board.kill(MESSAGE), 1);
    let error = writer.next().await;
    assert_eq!(error["message"], "Internal server error");
    assert!(error["connectionId"].is_string() && error["requestId"].is_string(), "{error}");
    board.faults().switch(Fault::HangPush, 0.0);

    let stored = board.workspace(&id).await;
    assert_eq!(stored["form_data"]["motion_prompt"], "x");
    let answer = writer.exchange(&frame).await;
    assert_eq!(
        (&answer["type"], &answer["data"]["updated_at"]),
        (&json!("workspace.sync_confirm"), &stored["updated_at"])
    );
    assert_eq!(board.workspace(&id).await, stored);
    // The others missed one event, which their next load shows; they are not told twice of anything.
    other.assert_no_push().await;
    writer.update(&id, json!({"form_data.motion_prompt": "y"})).await;
    assert_eq!(
        other.expect_push("workspace.updated").await["updates"],
        json!({"form_data.motion_prompt": "y"})
    );
    board.stop().await;
}

/// Waits as long as `is_so`; panics with `what` if that takes too long.
pub async fn wait_while(what: &str, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

/// A request for a video, on its way.
fn ask(studio: &Studio, prompt: &str) -> JoinHandle<reqwest::Response> {
    let request = studio.generate(prompt).header("idempotency-key", "k");
    tokio::spawn(async move { request.send().await.unwrap() })
}

/// A request that is claimed and told, and of which a vendor has heard, but said nothing yet.
pub async fn at_a_slow_vendor() -> (Studio, SlowVendor, JoinHandle<reqwest::Response>) {
    let mut vendor = SlowVendor::start().await;
    let board = Board::start_with_parameter("VideoVendorUrl", &vendor.url).await;
    let mut studio = Studio::of(board).await;
    let request = ask(&studio, "walks");
    vendor.asked.recv().await.unwrap();
    studio.expect("generating").await;
    (studio, vendor, request)
}

/// Kills the function that carries `request` out, of which the gateway then says that it failed.
async fn kill(studio: &Studio, request: JoinHandle<reqwest::Response>) {
    assert_eq!(studio.board.kill(GENERATE), 1);
    assert_eq!(request.await.unwrap().status(), 500);
}

/// Has the vendor accept a task, and the function die that would have heard of it.
pub async fn die_after_acceptance(studio: &mut Studio) {
    studio.board.faults().switch(Fault::VendorTimeout, 1.0);
    let request = ask(studio, "walks");
    studio.board.faults().struck(Fault::VendorTimeout, 1).await;
    wait_while("not accepted", async || studio.board.vendor_tasks().await.is_empty()).await;
    studio.expect("generating").await;
    kill(studio, request).await;
    studio.board.faults().switch(Fault::VendorTimeout, 0.0);
}

/// The same request again, which must not be paid again.
async fn again(studio: &Studio, prompt: &str) -> Answer {
    studio.board.send(studio.generate(prompt).header("idempotency-key", "k")).await
}

/// What the sweeper finds two minutes later.
pub async fn sweep_later(studio: &Studio) {
    studio.age("video.generation.polled_at", ABANDONED).await;
    studio.board.sweep().await;
}

/// That the claim was swept, and that its outcome is told to who asks again, without asking the vendor.
async fn expect_unknown_outcome(studio: &mut Studio) {
    assert_eq!(studio.video().await["status"], "generating");
    sweep_later(studio).await;
    let failed = studio.expect("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("结果未知"));
    assert_eq!(studio.video().await["error"], failed["error"]);
    let repeated = again(studio, "walks").await;
    assert_eq!(repeated.body["error"]["message"], failed["error"]);
    repeated.refused(502, "THIRD_PARTY_ERROR");
}

#[tokio::test]
async fn a_death_after_the_claim_ends_as_an_unknown_outcome() {
    let (mut studio, vendor, request) = at_a_slow_vendor().await;
    kill(&studio, request).await;
    expect_unknown_outcome(&mut studio).await;
    assert!(vendor.asked.is_empty(), "the vendor was asked again");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_death_after_the_vendor_has_accepted_is_paid_once() {
    let mut studio = Studio::open().await;
    die_after_acceptance(&mut studio).await;
    expect_unknown_outcome(&mut studio).await;
    assert_eq!(studio.board.vendor_tasks().await.len(), 1);
    // Whoever wants it has to ask for another one.
    studio.board.send(studio.generate("walks")).await.data();
    studio.expect("generating").await;
    studio.expect("completed").await;
    studio.board.stop().await;
}

#[tokio::test]
async fn a_death_right_after_the_vendors_answer_is_paid_once_and_ends() {
    let (mut studio, vendor, request) = at_a_slow_vendor().await;
    // Before the task is recorded, or after it, or when all is done: wherever it hits.
    vendor.answer.notify_one();
    studio.board.kill(GENERATE);
    request.await.unwrap();
    match studio.video().await["task_id"].as_str() {
        None => {
            sweep_later(&studio).await;
            assert!(studio.expect("failed").await["error"].as_str().unwrap().contains("结果未知"));
            again(&studio, "walks").await.refused(502, "THIRD_PARTY_ERROR");
        }
        Some(_) => {
            studio.board.sweep().await;
            studio.expect("completed").await;
            assert_eq!(again(&studio, "walks").await.data()["task_id"], TASK);
        }
    }
    assert!(vendor.asked.is_empty(), "the vendor was asked again");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_death_before_the_execution_is_started_leaves_that_to_the_sweeper() {
    let mut studio = Studio::open().await;
    studio.board.faults().switch(Fault::HangStart, 1.0);
    let request = ask(&studio, "walks");
    studio.board.faults().struck(Fault::HangStart, 1).await;
    wait_while("not recorded", async || studio.video().await["task_id"].is_null()).await;
    kill(&studio, request).await;
    studio.board.faults().switch(Fault::HangStart, 0.0);
    assert!(studio.board.executions().await.is_empty());
    // Who repeats gets the task.
    let task_id = again(&studio, "walks").await.data()["task_id"].clone();
    sweep_later(&studio).await;
    studio.expect("generating").await;
    studio.expect("completed").await;
    let tasks = studio.board.vendor_tasks().await;
    assert_eq!((tasks.len(), &tasks[0]["id"]), (1, &task_id));
    studio.board.stop().await;
}

#[tokio::test]
async fn a_death_after_the_execution_is_started_loses_nothing() {
    let (mut studio, vendor, request) = at_a_slow_vendor().await;
    // Somebody else's transaction keeps the task from being recorded.
    let workspaces = studio.board.rows("workspaces");
    let mut session = workspaces.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let touch = workspaces.update_one(doc! {}, doc! {"$set": {"touched": true}}).session(&mut session);
    assert_eq!(touch.await.unwrap().modified_count, 1);
    vendor.answer.notify_one();
    wait_while("not started", async || studio.board.executions().await.is_empty()).await;
    kill(&studio, request).await;
    session.abort_transaction().await.unwrap();
    studio.expect("completed").await;
    assert_eq!(studio.video().await["task_id"], TASK);
    assert!(vendor.asked.is_empty(), "the vendor was asked again");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_poll_or_copy_that_dies_before_it_told_the_end_is_repeated() {
    for (keep_videos, function) in [("off", POLL), ("on", KEEP)] {
        let mut studio = Studio::of(Board::start_with_parameter("KeepVideos", keep_videos).await).await;
        studio.board.send(studio.generate("walks")).await.data();
        studio.expect("generating").await;
        studio.board.faults().switch(Fault::HangPush, 1.0);
        studio.board.faults().struck(Fault::HangPush, 1).await;
        assert_eq!(studio.board.kill(function), 1);
        studio.board.faults().switch(Fault::HangPush, 0.0);
        // It had been recorded; the workflow asks again, and is told again.
        assert_eq!(studio.video().await["status"], "completed");
        studio.expect("completed").await;
        studio.board.stop().await;
    }
}

#[tokio::test]
async fn a_copy_that_dies_half_way_is_begun_again() {
    let (mut studio, mut vendor, request) = at_a_slow_vendor().await;
    vendor.stops.store(true, Ordering::Relaxed);
    vendor.answer.notify_one();
    request.await.unwrap();
    vendor.watched.recv().await.unwrap();
    assert_eq!(studio.board.kill(KEEP), 1);
    vendor.stops.store(false, Ordering::Relaxed);
    let url = studio.expect("completed").await["video_url"].as_str().unwrap().to_owned();
    let location = studio.board.location(&url).await;
    let video = studio.board.request(Method::GET, &location).send().await.unwrap();
    assert_eq!(video.bytes().await.unwrap(), "\0\0\0\x18ftypmp42the rest");
    studio.board.stop().await;
}

/// A client that writes one number after the other, until its socket breaks: the last that was acknowledged, and the last
/// that was sent.
async fn write_numbers(mut socket: Socket, id: String, all: Arc<AtomicUsize>) -> (i64, i64) {
    let mut acknowledged = 0;
    for number in 1.. {
        let data = json!({"workspace_id": id, "updates": {"form_data.number": number}});
        let frame = json!({"type": "workspace.update", "data": data, "timestamp": now(), "request_id": format!("n{number}")});
        if socket.try_send(&frame).await.is_none() {
            return (acknowledged, number);
        }
        loop {
            match socket.try_next().await {
                Some(answer) if answer["request_id"] == frame["request_id"] => {
                    assert_eq!(answer["type"], "workspace.sync_confirm", "{answer}");
                    break;
                }
                // What others did.
                Some(_) => {}
                None => return (acknowledged, number),
            }
        }
        acknowledged = number;
        all.fetch_add(1, Ordering::Relaxed);
    }
    (acknowledged, acknowledged)
}

/// One workspace of a board.
fn find(board: &Value, id: &str) -> Value {
    let mut all = board.as_array().unwrap().iter();
    all.find(|workspace| workspace["_id"] == id).cloned().expect("lost")
}

#[tokio::test]
async fn a_stack_that_is_killed_under_load_has_lost_nothing_and_goes_on() {
    let data = TempDir::new().unwrap();
    let options = ["--video-seconds", "10", "--parameter", "PollSeconds=1"];
    let mut first = Running::start(program(data.path(), &options)).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut control = first.socket().await;
    let upload = http.post(format!("{}/api/upload/image", first.url));
    let uploaded = form(upload, PNG, "picture", "image/png").send().await.unwrap();
    let uploaded: Value = uploaded.json().await.unwrap();
    let mut videos = Vec::new();
    for _ in 0..3 {
        let id = control.create().await;
        let body = json!({"workspace_id": id, "image_url": uploaded["data"]["image_url"]});
        let answer = http.post(format!("{}/api/generate/video", first.url)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["data"]["status"], "generating", "{answer}");
        videos.push((id, answer["data"]["task_id"].clone()));
    }
    let (mut writers, acknowledged) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..8 {
        let id = control.create().await;
        writers.push((
            id.clone(),
            tokio::spawn(write_numbers(first.socket().await, id, Arc::clone(&acknowledged))),
        ));
    }
    let under_load = async {
        while acknowledged.load(Ordering::Relaxed) < 400 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, under_load).await.expect("no load");
    let board = first.board().await;
    assert!(videos.iter().all(|(id, _)| find(&board, id)["video"]["status"] == "generating"), "{board}");
    let processes = first.descendants();
    first.signal(libc::SIGKILL);
    assert!(!first.end().await.success());
    let mut written = HashMap::new();
    for (id, writer) in writers {
        written.insert(id, writer.await.unwrap());
    }
    assert_all_end(&processes).await;

    let mut second = Running::start(program(data.path(), &options)).await;
    let board = second.board().await;
    for (id, (acknowledged, sent)) in written {
        let stored = find(&board, &id)["form_data"]["number"].as_i64().unwrap_or_default();
        assert!((acknowledged..=sent).contains(&stored), "{acknowledged} acknowledged, {stored} stored");
    }
    let finished = async {
        loop {
            let board = second.board().await;
            let all: Vec<Value> = videos.iter().map(|(id, _)| find(&board, id)["video"].take()).collect();
            if all.iter().all(|video| video["status"] != "generating") {
                return all;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let finished = timeout(PATIENCE, finished).await.expect("a video hangs");
    for (video, (_, task_id)) in finished.iter().zip(&videos) {
        assert_eq!((&video["status"], &video["task_id"]), (&json!("completed"), task_id));
    }
    second.signal(libc::SIGINT);
    assert!(second.end().await.success());
}
