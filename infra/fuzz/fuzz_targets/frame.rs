//! A frame of a client (contract §3, §6): what is accepted keeps the contract's limits and can be said again; what is refused
//! is refused in Chinese.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use shared::model::{Command, Frame, Refusal, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_766_534_400_000);

fuzz_target!(|text: &str| {
    match Frame::parse(text, NOW) {
        Ok(frame) => {
            check(&frame);
            assert_eq!(Frame::parse(&written(&frame), NOW).as_ref(), Ok(&frame), "said again");
        }
        Err(rejected) => {
            check_id(rejected.request_id.as_deref());
            if let Refusal::Invalid(fault) = rejected.refusal {
                assert!(!fault.field.is_empty());
                assert!(fault.message.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{fault}");
            }
        }
    }
});

fn check(frame: &Frame) {
    check_id(frame.request_id.as_deref());
    check_id(frame.client_id.as_deref());
    assert!((0..=NOW.millis() + 300_000).contains(&frame.sent_at.millis()));
    match &frame.command {
        Command::Ping => assert_eq!(frame.sent_at, NOW),
        Command::Create { order_index: Some(index) } => assert!((0..=1_000_000).contains(&index.get())),
        Command::Update { updates, .. } => assert!(!updates.is_empty()),
        Command::Reorder { places } => {
            assert!(!places.is_empty());
            assert!(places.iter().all(|(_, index)| (0..=1_000_000).contains(&index.get())));
        }
        Command::Create { order_index: None } | Command::Delete { .. } | Command::CancelVideo { .. } => {}
    }
}

fn check_id(id: Option<&str>) {
    assert!(id.is_none_or(|id| (1..=64).contains(&id.chars().count())));
}

/// The frame as a client could have sent it.
fn written(frame: &Frame) -> String {
    let data = match &frame.command {
        Command::Ping => json!({}),
        Command::Create { order_index } => json!({"order_index": order_index.map(|index| index.get())}),
        Command::Update { workspace_id, updates, unchanged_since } => json!({
            "workspace_id": workspace_id.to_string(),
            "updates": updates,
            "client_timestamp": unchanged_since.map(Timestamp::millis),
        }),
        Command::Delete { workspace_id } | Command::CancelVideo { workspace_id } => {
            json!({"workspace_id": workspace_id.to_string()})
        }
        Command::Reorder { places } => {
            let map: Map<_, _> =
                places.iter().map(|(id, index)| (id.to_string(), Value::from(index.get()))).collect();
            json!({"reorder_map": map})
        }
    };
    json!({
        "type": frame.command.kind(),
        "data": data,
        "timestamp": frame.sent_at.millis(),
        "request_id": frame.request_id,
        "client_id": frame.client_id,
    })
    .to_string()
}
