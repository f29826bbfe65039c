//! The adapters of the real vendors, each through every state and every error of its protocol, as the simulation speaks it.

mod ark;
mod kling;
mod runway;

use std::collections::{BTreeMap, BTreeSet};

use axum::{Router, http::StatusCode};
use futures_util::future::join_all;
use local::{secrets::VIDEO_VENDOR_KEY, simulation::Protocol};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    board::{Board, PNG},
    deaths::wait_while,
};

/// As the board's, but of 640 by 640 pixels, which all vendors take.
pub const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x02\x80\x08\x02\0\0\0";
const JPEG: &[u8] = b"\xff\xd8\xff\xc0\x00\x0b\x08\x02\x80\x02\x80\x01\x01\x11\x00\xff\xd9";
const WEBP: &[u8] =
    b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00/\x7f\xc2\x9f\x00\x07\x10\x11\x11\x88\x88\xfe\x07";

/// Told where somebody must see to the vendor's account.
const OURS: &str = "请联系管理员";
const BUSY: &str = "繁忙";
const UNKNOWN: &str = "结果未知";
const MODERATED: &str = "审核";

/// How a generation is to end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// With a video.
    Made,
    /// Refused with 502, and a reason that holds this.
    Refused(&'static str),
    /// Accepted, and then failed for a reason that holds this.
    Failed(&'static str),
}
use Expected::{Failed, Made, Refused};

async fn board_of(vendor: Protocol) -> Board {
    Board::start_with(|config| config.vendor = Some(vendor)).await
}

/// Has a video made by each prompt, all at once, each of a workspace of its own.
#[track_caller]
fn expect_all<'a>(board: &'a Board, prompts: &'a [(String, Expected)]) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let mut socket = board.connect().await;
        let image_url = board.upload(PICTURE).await;
        let mut ids = Vec::new();
        for _ in prompts {
            ids.push(socket.create().await);
        }
        let answers = ids.iter().zip(prompts).map(|(id, (prompt, _))| {
            let body =
                json!({"workspace_id": id, "image_url": image_url, "params": {"motion_prompt": prompt}});
            board.send(board.request(Method::POST, "/api/generate/video").json(&body))
        });
        let answers = join_all(answers).await;
        let mut ends = BTreeMap::new();
        while ends.len() < prompts.len() {
            let told = socket.expect_push("video.status_update").await;
            if told["status"] != "generating" {
                ends.insert(told["workspace_id"].as_str().unwrap().to_owned(), told);
            }
        }
        for ((id, (prompt, expected)), answer) in ids.iter().zip(prompts).zip(answers) {
            let (end, at) = (&ends[id], format!("{prompt} at {caller}"));
            let reason = end["error"].as_str().unwrap_or_default();
            match expected {
                Made => {
                    assert_eq!(answer.status, 200, "{at}: {}", answer.body);
                    assert_eq!(end["status"], "completed", "{at}: {end}");
                    assert!(end["video_url"].as_str().unwrap().starts_with("/api/videos/"), "{at}: {end}");
                }
                Refused(why) => {
                    assert_eq!(answer.status, 502, "{at}: {}", answer.body);
                    assert_eq!(answer.body["error"]["message"], reason, "{at}");
                    assert!(end["status"] == "failed" && reason.contains(why), "{at}: {end}");
                }
                Failed(why) => {
                    assert_eq!(answer.status, 200, "{at}: {}", answer.body);
                    assert!(end["status"] == "failed" && reason.contains(why), "{at}: {end}");
                }
            }
        }
    }
}

/// The prompts that make each error of `codes` happen at the creation: `table` must know all of them.
fn creations<'a>(
    codes: impl Iterator<Item = &'a str>,
    table: &[(&str, Expected)],
) -> Vec<(String, Expected)> {
    let known: BTreeSet<&str> = table.iter().map(|(code, _)| code.split('.').next().unwrap()).collect();
    assert_eq!(codes.collect::<BTreeSet<_>>(), known);
    table.iter().map(|(code, expected)| (format!("人物转身 #create:{code}"), *expected)).collect()
}

fn prompts(table: &[(&str, Expected)]) -> Vec<(String, Expected)> {
    table.iter().map(|(prompt, expected)| ((*prompt).to_owned(), *expected)).collect()
}

/// What the simulation was sent by the only order so far.
async fn ordered(board: &Board, form: Value) -> Value {
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let image_url = board.upload(PICTURE).await;
    let body = json!({"workspace_id": id, "image_url": image_url, "params": form});
    board.post("/api/generate/video", &body).await.data();
    board.vendor_tasks().await.pop().unwrap()["request"].clone()
}

fn form() -> Value {
    json!({"camera_movement": "推进", "shot_type": "特写", "lighting": "像月光", "motion_prompt": "人物转身"})
}

fn picture() -> String {
    format!("<{} bytes>", PICTURE.len())
}

#[tokio::test]
async fn a_vendor_that_stays_busy_or_is_not_there_is_a_clear_refusal() {
    // Longer than anybody waits.
    let busy = Router::new().fallback(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, busy).await });
    for url in [&busy_url, "http://127.0.0.1:1"] {
        let board = Board::start_with(|config| {
            config.vendor = Some(Protocol::Ark);
            config.parameters.insert("VideoVendorUrl".to_owned(), url.to_owned());
        })
        .await;
        expect_all(&board, &[("walks".to_owned(), Refused(BUSY))]).await;
        board.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_key_is_ours_and_a_rotated_one_is_used() {
    for vendor in [Protocol::Ark, Protocol::Kling, Protocol::Runway] {
        let board = Board::start_with(|config| {
            config.vendor = Some(vendor);
            config.secrets.insert(VIDEO_VENDOR_KEY.to_owned(), "wrong:wrong".to_owned());
            config.parameters.insert("SecretMaxAgeSeconds".to_owned(), "1".to_owned());
        })
        .await;
        expect_all(&board, &[("walks".to_owned(), Refused(OURS))]).await;
        board.rotate(VIDEO_VENDOR_KEY, vendor.key().unwrap());
        // Those that were started with the wrong one ask again after a second.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        expect_all(&board, &[("walks".to_owned(), Made)]).await;
        board.stop().await;
    }
}

#[tokio::test]
async fn what_a_vendor_cannot_take_is_said_before_anything_is_ordered() {
    let large_jpeg = [JPEG, &vec![0; 4_000_000]].concat();
    for (vendor, picture, prompt_length, field) in [
        (Protocol::Kling, WEBP, 10, Some("image_url")),
        (Protocol::Kling, JPEG, 2_000, None),
        (Protocol::Runway, WEBP, 10, None),
        (Protocol::Runway, large_jpeg.as_slice(), 10, Some("image_url")),
        (Protocol::Runway, PICTURE, 1_001, Some("motion_prompt")),
        (Protocol::Ark, PNG, 10, Some("image_url")),
        (Protocol::Kling, PNG, 10, Some("image_url")),
        (Protocol::Runway, PNG, 10, None),
        (Protocol::Ark, large_jpeg.as_slice(), 2_000, None),
    ] {
        let board = board_of(vendor).await;
        let mut socket = board.connect().await;
        let id = socket.create().await;
        let image_url = board.upload(picture).await;
        let params = json!({"motion_prompt": "字".repeat(prompt_length)});
        let body = json!({"workspace_id": id, "image_url": image_url, "params": params});
        let answer = board.post("/api/generate/video", &body).await;
        match field {
            Some(field) => {
                answer.invalid(field);
                assert_eq!(board.workspace(&id).await["video"]["status"], "pending");
                assert!(board.vendor_tasks().await.is_empty());
            }
            None => assert_eq!(answer.status, 200, "{vendor:?}: {}", answer.body),
        }
        board.stop().await;
    }
}

#[tokio::test]
async fn a_task_is_cancelled_where_the_vendor_can() {
    // Of what can't be cancelled the end is waited for.
    for (vendor, can_cancel, prompt) in
        [(Protocol::Runway, true, "#stall"), (Protocol::Kling, false, "walks")]
    {
        let board = board_of(vendor).await;
        let mut socket = board.connect().await;
        let id = socket.create().await;
        let image_url = board.upload(PICTURE).await;
        let params = json!({"motion_prompt": prompt});
        let body = json!({"workspace_id": id, "image_url": image_url, "params": params});
        board.post("/api/generate/video", &body).await.data();
        socket.expect("video.cancel", json!({"workspace_id": id}), "video.cancelled").await;
        wait_while("the execution goes on", async || board.executions().await != ["SUCCEEDED"]).await;
        assert_eq!(board.vendor_tasks().await[0]["cancelled"], can_cancel, "{vendor:?}");
        board.stop().await;
    }
}
