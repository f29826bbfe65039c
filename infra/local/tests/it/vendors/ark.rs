//! Ark: a bearer, a text and a picture, tasks that only its own id finds.

use local::simulation::{
    Protocol,
    steering::{ARK_ERRORS, PROXY_ERRORS},
};
use serde_json::json;

use super::{
    Expected::{Failed, Made, Refused},
    MODERATED, OURS, UNKNOWN, board_of, creations, expect_all, form, ordered, picture, prompts,
};
use crate::board::Board;

#[tokio::test]
async fn is_ordered_from_in_its_own_words() {
    let board = Board::start_with(|config| {
        config.vendor = Some(Protocol::Ark);
        config.parameters.insert("VideoModel".to_owned(), "ep-2026-x".to_owned());
        config
            .parameters
            .insert("VideoOptions".to_owned(), r#"{"resolution":"720p","duration":5}"#.to_owned());
    })
    .await;
    assert_eq!(
        ordered(&board, form()).await,
        json!({
            "model": "ep-2026-x", "resolution": "720p", "duration": 5,
            "content": [
                {"type": "text", "text": "人物转身\n镜头：镜头缓慢向前推进；景别：特写；光线：像月光"},
                {"type": "image_url", "role": "first_frame",
                 "image_url": {"url": format!("data:image/png;base64,{}", picture())}},
            ],
        })
    );
    board.stop().await;
}

#[tokio::test]
async fn refuses_for_every_reason_that_it_has() {
    let board = board_of(Protocol::Ark).await;
    let table = [
        ("MissingParameter", Refused(OURS)),
        ("InvalidParameter.Ratio", Refused(OURS)),
        ("InvalidEndpoint.ClosedEndpoint", Refused(OURS)),
        ("InputTextRiskDetection", Refused(MODERATED)),
        ("InputImageRiskDetection", Refused("图片未通过")),
        ("OutputTextRiskDetection", Refused(MODERATED)),
        ("InputTextSensitiveContentDetected", Refused("描述未通过")),
        ("InputImageSensitiveContentDetected.PrivacyInformation", Refused("真人面孔")),
        ("InputVideoSensitiveContentDetected", Refused(MODERATED)),
        ("AuthenticationError", Refused(OURS)),
        ("AccessDenied", Refused(OURS)),
        ("AccountOverdueError", Refused(OURS)),
        ("InvalidEndpointOrModel.NotFound", Refused(OURS)),
        ("ModelNotOpen", Refused(OURS)),
        ("ResourceNotFound", Refused(OURS)),
        ("RateLimitExceeded.EndpointRPMExceeded", Made),
        ("ModelAccountRpmRateLimitExceeded", Made),
        ("ModelAccountTpmRateLimitExceeded", Made),
        ("ModelLoadingError", Made),
        ("ServerOverloaded", Made),
        ("QuotaExceeded", Refused(OURS)),
        ("SetLimitExceeded", Refused(OURS)),
        ("InternalServiceError", Refused(UNKNOWN)),
    ];
    let mut all = creations(ARK_ERRORS.iter().map(|(code, _)| *code), &table);
    for (code, ..) in PROXY_ERRORS {
        all.push((format!("#create:{code}"), Refused(UNKNOWN)));
    }
    expect_all(&board, &all).await;
    let paid = all.iter().filter(|(_, expected)| *expected == Made).count();
    assert_eq!(board.vendor_tasks().await.len(), paid);
    board.stop().await;
}

#[tokio::test]
async fn ends_its_tasks_in_every_way_that_it_has() {
    let board = board_of(Protocol::Ark).await;
    let table = [
        ("walks", Made),
        ("#flaky", Made),
        ("#state:warming_up", Made),
        ("#query:RateLimitExceeded.EndpointRPMExceeded", Made),
        ("#query:ServerOverloaded", Made),
        ("#query:InternalServiceError", Made),
        ("#query:AuthenticationError", Made),
        ("#query:502", Made),
        ("#query:ResourceNotFound", Failed("没有这个任务")),
        ("#fail", Failed("生成的视频未通过")),
        ("#fail:OutputVideoSensitiveContentDetected.PolicyViolation", Failed("生成的视频未通过")),
        ("#fail:OutputAudioSensitiveContentDetected", Failed("生成的视频未通过")),
        ("#fail:InputImageSensitiveContentDetected", Failed("图片未通过")),
        // The vendor's own words, where they are Chinese.
        ("#fail:InternalServiceError", Failed("生成的视频可能")),
        ("#end:cancelled", Failed("取消了任务")),
        ("#end:expired", Failed("超时")),
        ("#accept:502", Refused(UNKNOWN)),
        ("#accept:InternalServiceError", Refused(UNKNOWN)),
        ("#lost", Refused(UNKNOWN)),
    ];
    expect_all(&board, &prompts(&table)).await;
    // What nobody knows of was ordered once.
    assert_eq!(board.vendor_tasks().await.len(), table.len());
    board.stop().await;
}
