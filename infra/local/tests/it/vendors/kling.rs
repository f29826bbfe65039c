//! Kling: signed tokens, errors inside 200, tasks that our id finds.

use local::simulation::{Protocol, steering::KLING_ERRORS};
use serde_json::json;

use super::{
    Expected::{Failed, Made, Refused},
    MODERATED, OURS, PICTURE, UNKNOWN, board_of, creations, expect_all, form, ordered, picture, prompts,
};
use crate::{
    board::Board,
    deaths::{die_after_acceptance, sweep_later},
    generation::abandon,
    studio::Studio,
};

#[tokio::test]
async fn is_ordered_from_in_its_own_words() {
    let board = Board::start_with(|config| {
        config.vendor = Some(Protocol::Kling);
        config.parameters.insert("VideoModel".to_owned(), "kling-v1-5".to_owned());
        config.parameters.insert("VideoOptions".to_owned(), r#"{"mode":"pro","duration":"5"}"#.to_owned());
    })
    .await;
    let mut request = ordered(&board, form()).await;
    let id = request["external_task_id"].take();
    assert_eq!(id.as_str().map(str::len), Some(32), "the generation's");
    assert_eq!(
        request,
        json!({
            "model_name": "kling-v1-5", "mode": "pro", "duration": "5", "image": picture(), "external_task_id": null,
            "prompt": "人物转身\n景别：特写；光线：像月光",
            "camera_control": {"type": "simple", "config": {
                "horizontal": 0, "vertical": 0, "pan": 0, "tilt": 0, "roll": 0, "zoom": -5,
            }},
        })
    );
    board.stop().await;
}

#[tokio::test]
async fn refuses_for_every_reason_that_it_has() {
    let board = board_of(Protocol::Kling).await;
    let table = [
        ("1000", Refused(OURS)),
        ("1001", Refused(OURS)),
        ("1002", Refused(OURS)),
        ("1003", Refused(OURS)),
        ("1004", Refused(OURS)),
        ("1100", Refused(OURS)),
        ("1101", Refused(OURS)),
        ("1102", Refused(OURS)),
        ("1103", Refused(OURS)),
        ("1200", Refused(OURS)),
        ("1201", Refused(OURS)),
        ("1202", Refused(OURS)),
        ("1203", Refused(OURS)),
        ("1300", Refused(MODERATED)),
        ("1301", Refused(MODERATED)),
        ("1302", Made),
        ("1303", Made),
        ("1304", Refused(OURS)),
        ("5000", Refused(UNKNOWN)),
        ("5001", Refused(UNKNOWN)),
        ("5002", Refused(UNKNOWN)),
    ];
    let codes: Vec<String> = KLING_ERRORS.iter().map(|(code, ..)| code.to_string()).collect();
    let mut all = creations(codes.iter().map(String::as_str), &table);
    for code in ["1200", "1201", "1202", "1203"] {
        all.push((format!("#in200 #create:{code}"), Refused(OURS)));
    }
    all.push(("#in200 #create:1301".to_owned(), Refused(MODERATED)));
    expect_all(&board, &all).await;
    assert_eq!(board.vendor_tasks().await.len(), 2);
    board.stop().await;
}

#[tokio::test]
async fn ends_its_tasks_in_every_way_that_it_has_and_loses_none() {
    let board = board_of(Protocol::Kling).await;
    let table = [
        ("walks", Made),
        ("#flaky", Made),
        ("#state:dreaming", Made),
        ("#query:1302", Made),
        ("#query:1004", Made),
        ("#query:5000", Made),
        ("#query:504", Made),
        ("#query:1203", Failed("没有这个任务")),
        ("#in200 #query:1203", Failed("没有这个任务")),
        ("#fail", Failed("")),
        ("#fail:content_risk", Failed(MODERATED)),
        ("#fail:oops", Failed("生成失败")),
        // The vendor knows its tasks by our id: what got no answer is found.
        ("#accept:504", Made),
        ("#accept:5002", Made),
        ("#lost", Made),
    ];
    expect_all(&board, &prompts(&table)).await;
    assert_eq!(board.vendor_tasks().await.len(), table.len());
    board.stop().await;
}

#[tokio::test]
async fn a_death_after_the_acceptance_loses_nothing() {
    let mut studio = Studio::of_picture(board_of(Protocol::Kling).await, PICTURE).await;
    die_after_acceptance(&mut studio).await;
    assert!(studio.video().await["task_id"].is_null());
    sweep_later(&studio).await;
    studio.expect("completed").await;
    let tasks = studio.board.vendor_tasks().await;
    assert_eq!((tasks.len(), &tasks[0]["id"]), (1, &studio.video().await["task_id"]));
    studio.board.stop().await;
}

#[tokio::test]
async fn a_death_before_the_order_is_known_to_have_made_nothing() {
    let mut studio = Studio::of_picture(board_of(Protocol::Kling).await, PICTURE).await;
    abandon(&studio).await;
    sweep_later(&studio).await;
    let failed = studio.expect("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("没有产生任务"), "{failed}");
    assert!(studio.board.vendor_tasks().await.is_empty());
    studio.board.stop().await;
}
