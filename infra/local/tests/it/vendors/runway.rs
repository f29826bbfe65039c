//! Runway: a version in each request, English prompts, small pictures.

use local::simulation::{Protocol, steering::RUNWAY_ERRORS};
use serde_json::json;

use super::{
    Expected::{Failed, Made, Refused},
    OURS, UNKNOWN, board_of, creations, expect_all, form, ordered, picture, prompts,
};

#[tokio::test]
async fn is_ordered_from_in_its_own_words() {
    let board = board_of(Protocol::Runway).await;
    assert_eq!(
        ordered(&board, form()).await,
        json!({
            "model": "gen4.5", "ratio": "960:960", "duration": 5,
            "promptImage": format!("data:image/png;base64,{}", picture()),
            "promptText": "人物转身\nCamera: the camera slowly dollies in. Shot: close-up. Lighting: 像月光",
        })
    );
    // Nothing said is something, too: the model wants a prompt.
    assert_eq!(ordered(&board, json!({})).await["promptText"], "Natural, subtle motion.");
    board.stop().await;
}

#[tokio::test]
async fn refuses_for_every_reason_that_it_has() {
    let board = board_of(Protocol::Runway).await;
    let table = [
        ("400", Refused(OURS)),
        ("credits", Refused(OURS)),
        ("401", Refused(OURS)),
        ("404", Refused(OURS)),
        ("405", Refused(OURS)),
        ("429", Made),
        ("500", Refused(UNKNOWN)),
        ("502", Refused(UNKNOWN)),
        ("503", Refused(UNKNOWN)),
        ("504", Refused(UNKNOWN)),
    ];
    expect_all(&board, &creations(RUNWAY_ERRORS.iter().map(|(code, ..)| *code), &table)).await;
    assert_eq!(board.vendor_tasks().await.len(), 1);
    board.stop().await;
}

#[tokio::test]
async fn ends_its_tasks_in_every_way_that_it_has() {
    let board = board_of(Protocol::Runway).await;
    let table = [
        ("walks", Made),
        ("#flaky", Made),
        ("#state:THROTTLED", Made),
        ("#state:DREAMING", Made),
        ("#query:429", Made),
        ("#query:503", Made),
        ("#query:404", Failed("没有这个任务")),
        ("#fail", Failed("质量不合格")),
        ("#fail:SAFETY.INPUT.TEXT", Failed("描述未通过")),
        ("#fail:SAFETY.INPUT.IMAGE", Failed("图片未通过")),
        ("#fail:SAFETY.OUTPUT.VIDEO", Failed("生成的视频未通过")),
        ("#fail:INTERNAL.BAD_OUTPUT.CODE01", Failed("质量不合格")),
        ("#fail:INTERNAL.UNKNOWN", Failed("生成失败")),
        ("#fail:INPUT_PREPROCESSING.INTERNAL", Failed("无法使用这张图片")),
        ("#fail:ASSET.INVALID", Failed("无法使用这张图片")),
        ("#fail:THIRD_PARTY.UNAVAILABLE", Failed("生成失败")),
        ("#end:CANCELLED", Failed("取消了任务")),
        ("#accept:504", Refused(UNKNOWN)),
        ("#lost", Refused(UNKNOWN)),
    ];
    expect_all(&board, &prompts(&table)).await;
    assert_eq!(board.vendor_tasks().await.len(), table.len());
    board.stop().await;
}
