//! Contract §7: what an owner may ask for, and what becomes of who asks for more.

use std::{collections::BTreeSet, path::PathBuf};

use futures_util::future::join_all;
use mongodb::bson::{DateTime, doc};
use reqwest::Method;
use serde_json::json;

use crate::{
    board::{Answer, Board, PNG},
    member::{Member, token},
    socket::{PATIENCE, Socket},
};

/// That this is the limit `limit`, with a time to come back of at most `most` seconds.
#[track_caller]
fn assert_exhausted(answer: Answer, limit: &str, most: u64) {
    let header: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    let details = answer.refused(429, "RATE_LIMITED");
    assert_eq!(details, json!({"limit": limit, "retry_after_seconds": header}));
    assert!((1..=most).contains(&header), "{header}");
}

/// What comes of `tries` of something of which there are `most` in a minute, an hour or a day: so much is done, and the rest is
/// refused. Should the clock pass into the next one meanwhile, as much may be done again.
#[track_caller]
fn assert_bounded(answers: Vec<Answer>, most: usize, limit: &str, window: u64) {
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!((most..=2 * most).contains(&done.len()), "{} done", done.len());
    assert!(!refused.is_empty());
    for answer in refused {
        assert_exhausted(answer, limit, window);
    }
}

async fn workspaces(member: &Member<'_>, count: usize) -> Vec<String> {
    let mut socket = member.connect().await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(socket.create().await);
    }
    ids
}

#[tokio::test]
async fn only_so_many_videos_are_made_at_the_same_time() {
    // Nobody is to be polled meanwhile: a poll cancels the task of a deleted workspace, which frees its place.
    let board = Board::guarded_with(&[("PollSeconds", "60"), ("GenerationsAtOnce", "3")]).await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let (ids, image) = (workspaces(&alice, 8).await, alice.upload(PNG).await);
    // Simultaneously, so that a count before the claim would let more pass.
    let answers = join_all(ids.iter().map(|id| alice.generate(id, &image, "#stall"))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((done.len(), refused.len()), (3, 5));
    for answer in refused {
        assert_exhausted(answer, "generations_at_once", 30);
    }
    assert_eq!(board.vendor_tasks().await.len(), 3);
    // Who was refused is as before, and may try again when another is done; another owner isn't concerned.
    let listed = alice.workspaces().await;
    let with =
        |status: &str| listed.iter().filter(|workspace| workspace["video"]["status"] == status).count();
    assert_eq!((with("generating"), with("pending")), (3, 5));
    let (his, his_image) = (workspaces(&bob, 1).await, bob.upload(PNG).await);
    bob.generate(&his[0], &his_image, "#stall").await.data();
    let of = |status: &str| {
        let all = listed.iter().filter(|workspace| workspace["video"]["status"] == status);
        all.map(|workspace| workspace["_id"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let (running, waiting) = (of("generating"), of("pending"));
    // To delete a workspace doesn't stop what the vendor does and is paid for.
    let mut socket = alice.connect().await;
    socket.expect("workspace.delete", json!({"workspace_id": running[0]}), "workspace.deleted").await;
    assert_exhausted(alice.generate(waiting[0], &image, "#stall").await, "generations_at_once", 30);
    // When one has ended, by its deadline here, there is room for one.
    let id = mongodb::bson::oid::ObjectId::parse_str(running[1]).unwrap();
    let over = doc! {"$set": {"video.generation.deadline_at": DateTime::from_millis(0)}};
    board.rows("workspaces").update_one(doc! {"_id": id}, over).await.unwrap();
    board.sweep().await;
    alice.generate(waiting[0], &image, "#stall").await.data();
    assert_exhausted(alice.generate(waiting[1], &image, "#stall").await, "generations_at_once", 30);
    board.stop().await;
}

#[tokio::test]
async fn a_claim_that_died_before_it_was_made_takes_no_place_for_long() {
    let board = Board::guarded_with(&[("GenerationsAtOnce", "2")]).await;
    let alice = board.member("alice");
    let (ids, image) = (workspaces(&alice, 3).await, alice.upload(PNG).await);
    let dead = async |seconds: i64| {
        let now = DateTime::now().timestamp_millis();
        let slots: Vec<_> = ids[..2]
            .iter()
            .map(|id| {
                doc! {
                    "generation": format!("dead {id}"),
                    "workspace": mongodb::bson::oid::ObjectId::parse_str(id).unwrap(),
                    "taken_at": DateTime::from_millis(now - seconds * 1000),
                    "until": DateTime::from_millis(now + 1_000_000),
                }
            })
            .collect();
        board
            .rows("quotas")
            .update_one(doc! {"_id": "alice"}, doc! {"$set": {"slots": slots}})
            .await
            .unwrap();
    };
    // It may still come...
    dead(30).await;
    assert_exhausted(alice.generate(&ids[2], &image, "#stall").await, "generations_at_once", 30);
    // ...or not any more.
    dead(61).await;
    alice.generate(&ids[2], &image, "#stall").await.data();
    board.stop().await;
}

#[tokio::test]
async fn only_so_many_videos_are_begun_in_a_day() {
    let board = Board::guarded_with(&[("GenerationsPerDay", "2"), ("GenerationsAtOnce", "100")]).await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let (ids, image) = (workspaces(&alice, 6).await, alice.upload(PNG).await);
    let body =
        |id: &str| json!({"workspace_id": id, "image_url": image, "params": {"motion_prompt": "#stall"}});
    let keyed = |id: &str, key: &str| {
        alice.request(Method::POST, "/api/generate/video").header("idempotency-key", key).json(&body(id))
    };
    // What is no new generation isn't counted: what can't be, and a repeat.
    alice.generate("xxx", &image, "").await.refused(404, "WORKSPACE_NOT_FOUND");
    let first = board.send(keyed(&ids[0], "k")).await.data();
    assert_eq!(board.send(keyed(&ids[0], "k")).await.data(), first);
    alice.generate(&ids[0], &image, "").await.refused(409, "VIDEO_IN_PROGRESS");
    let rest = join_all(ids[1..].iter().map(|id| alice.generate(id, &image, "#stall"))).await;
    let tasks = rest.iter().filter(|answer| answer.status == 200).count() + 1;
    assert_bounded(rest, 1, "generations_per_day", 24 * 60 * 60);
    assert_eq!(board.vendor_tasks().await.len(), tasks);
    // A refusal is not remembered under a key, and the repeat of what was accepted is still answered.
    assert_eq!(board.send(keyed(&ids[0], "k")).await.data(), first);
    let (his, his_image) = (workspaces(&bob, 1).await, bob.upload(PNG).await);
    bob.generate(&his[0], &his_image, "").await.data();
    board.stop().await;
}

#[tokio::test]
async fn only_so_many_suggestions_are_made_in_a_minute() {
    let board = Board::guarded_with(&[("SuggestionsPerMinute", "2")]).await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let id = workspaces(&alice, 1).await.remove(0);
    let question = |id: &str| json!({"workspace_id": id, "user_input": "优化运镜"});
    alice.post("/api/ai/suggest", &question("xxx")).await.refused(404, "WORKSPACE_NOT_FOUND");
    let mine = question(&id);
    let answers = join_all((0..6).map(|_| alice.post("/api/ai/suggest", &mine))).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_bounded(answers, 2, "suggestions_per_minute", 60);
    assert_eq!(alice.workspaces().await[0]["ai_collaboration"].as_array().unwrap().len(), done);
    let his = workspaces(&bob, 1).await.remove(0);
    bob.post("/api/ai/suggest", &question(&his)).await.data();
    board.stop().await;
}

#[tokio::test]
async fn only_so_much_is_uploaded_in_an_hour() {
    let board = Board::guarded_with(&[("UploadsPerHour", "4")]).await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    alice.form(b"GIF89a").await.refused(415, "UNSUPPORTED_FILE_TYPE");
    let permission = json!({"content_type": "image/png", "size": 100});
    let forms = join_all((0..5).map(|_| alice.form(PNG))).await;
    let permissions = join_all((0..5).map(|_| alice.post("/api/upload/image", &permission))).await;
    assert_bounded(forms.into_iter().chain(permissions).collect(), 4, "uploads_per_hour", 60 * 60);
    bob.upload(PNG).await;
    board.stop().await;
}

/// Where an owner's pictures are on this machine.
fn pictures(board: &Board, image_url: &str) -> PathBuf {
    let key = image_url.split("owner=").nth(1).unwrap().split('&').next().unwrap();
    board.data().join("s3/local-imagesbucket/uploads").join(key)
}

#[tokio::test]
async fn only_so_many_bytes_are_kept() {
    let board = Board::guarded_with(&[("BytesPerOwner", "100000")]).await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let picture = |size: usize| {
        let mut content = PNG.to_vec();
        content.resize(size, 7);
        content
    };
    // One alone may be too much, for who has nothing yet.
    assert_exhausted(alice.form(&picture(100_001)).await, "bytes_per_owner", 3600);
    let first = alice.upload(&picture(60_000)).await;
    assert_exhausted(alice.form(&picture(60_000)).await, "bytes_per_owner", 3600);
    alice.upload(&picture(40_000)).await;
    assert_exhausted(alice.form(&picture(100)).await, "bytes_per_owner", 3600);
    bob.upload(&picture(60_000)).await;
    // What was removed, by a rule of the bucket perhaps, counts no more; nor does what was announced and never came.
    let name = first.split_once('?').unwrap().0.rsplit('/').next().unwrap();
    std::fs::remove_file(pictures(&board, &first).join(name)).unwrap();
    let permission = json!({"content_type": "image/png", "size": 60_000});
    alice.post("/api/upload/image", &permission).await.data();
    alice.upload(&picture(60_000)).await;
    assert_exhausted(alice.form(&picture(100)).await, "bytes_per_owner", 3600);
    board.stop().await;
}

#[tokio::test]
async fn only_so_many_connections_are_open() {
    let board = Board::guarded_with(&[("ConnectionsPerOwner", "3")]).await;
    let url = board.websocket_url_with(&token("alice"));
    let tries = join_all((0..8).map(|_| Socket::try_connect(&url))).await;
    let (open, refused): (Vec<_>, Vec<_>) = tries.into_iter().partition(Result::is_ok);
    // Those that come at once may see each other and all be refused. None is one too many.
    assert!(open.len() <= 3, "{} open", open.len());
    for error in refused.into_iter().filter_map(Result::err) {
        assert!(error.to_string().contains("429"), "{error}");
    }
    let mut open: Vec<Socket> = open.into_iter().filter_map(Result::ok).collect();
    while open.len() < 3 {
        open.push(Socket::connect(&url).await);
    }
    assert!(Socket::try_connect(&url).await.is_err_and(|error| error.to_string().contains("429")));
    board.member("bob").connect().await.create().await;
    // Those that are refused are nobody's, and one that goes makes room for another.
    assert_eq!(board.rows("connections").count_documents(doc! {"owner": "alice"}).await.unwrap(), 3);
    open.remove(0).close().await;
    let again = async {
        loop {
            if let Ok(socket) = Socket::try_connect(&url).await {
                break socket;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("no room").create().await;
    board.stop().await;
}

#[tokio::test]
async fn who_is_counted_is_still_told() {
    let board = Board::guarded_with(&[("FramesPerSecond", "5")]).await;
    let alice = board.member("alice");
    let (mut busy, mut other) = (alice.connect().await, alice.connect().await);
    // Each frame is counted at so low a rate, and with the last of them none is left over that would say it is there.
    let mut limited = false;
    for _ in 0..80 {
        let answer = busy.request("ping", json!({})).await;
        limited |= answer["type"] == "error";
        if limited {
            break;
        }
    }
    assert!(limited);
    let row = board.rows("connections").find_one(doc! {"sent.frames": {"$gt": 10.0}}).await.unwrap().unwrap();
    assert!(row.get_datetime("last_seen").is_ok(), "{row}");
    other.create().await;
    busy.expect_push("workspace.created").await;
    board.stop().await;
}

#[tokio::test]
async fn a_connection_that_floods_is_told_so_and_closed_and_spoils_nothing() {
    let board = Board::guarded_with(&[("FramesPerSecond", "5")]).await;
    let (mallory, alice) = (board.member("mallory"), board.member("alice"));
    let mut flooding = mallory.connect().await;
    let mut calm = alice.connect().await;
    let (target, id) = (flooding.create().await, calm.create().await);
    let (mut confirmed, mut limited) = (BTreeSet::new(), 0);
    let mut seen = Vec::new();
    // It doesn't wait for answers.
    for n in 1..=400 {
        let update = json!({"workspace_id": target, "updates": {(format!("form_data.n{n}")): n}});
        let frame = flooding.frame("workspace.update", update);
        if flooding.try_send(&frame).await.is_none() {
            break;
        }
    }
    while let Some(frame) = flooding.try_next().await {
        seen.push(frame);
    }
    for frame in &seen {
        match frame["type"].as_str() {
            Some("workspace.sync_confirm") => {
                // Requests are numbered from the creation on.
                let number: u32 = frame["request_id"].as_str().unwrap()[1..].parse().unwrap();
                confirmed.insert(number - 1);
            }
            Some("error") if frame["data"]["code"] == "RATE_LIMITED" => {
                assert!(frame["data"]["context"]["retry_after_seconds"].as_u64().unwrap() >= 1);
                limited += 1;
            }
            _ => panic!("{frame}"),
        }
    }
    assert!(limited > 0, "{} confirmed, none refused", confirmed.len());
    // At once come eight seconds' worth, and as much again may be under way in processes that don't know of each other yet.
    assert!(confirmed.len() < 100, "{} confirmed", confirmed.len());
    let form = mallory.workspaces().await[0]["form_data"].clone();
    for n in &confirmed {
        assert_eq!(form[format!("n{n}")], *n, "acknowledged and not stored");
    }
    // It doesn't come back at once to go on, and nobody else has noticed anything.
    let url = board.websocket_url_with(&token("mallory"));
    let refused = async { while Socket::try_connect(&url).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("it may go on at once");
    calm.update(&id, json!({"form_data.x": 1})).await;
    calm.assert_no_push().await;
    alice.connect().await.create().await;
    board.stop().await;
}

#[tokio::test]
async fn where_nobody_is_asked_who_he_is_nobody_is_counted() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let image = board.upload(PNG).await;
    // One more than an owner may have by default.
    for _ in 0..6 {
        let id = socket.create().await;
        let body = json!({"workspace_id": id, "image_url": image, "params": {"motion_prompt": "#stall"}});
        board.post("/api/generate/video", &body).await.data();
    }
    board.stop().await;
}
