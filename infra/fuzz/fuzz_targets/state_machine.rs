//! A state machine's definition: any text is a machine or an error, and a machine runs, whatever its function answers.

#![no_main]

use libfuzzer_sys::fuzz_target;

// What runs a machine is no part of the crate's interface.
#[path = "../../local/src/states"]
#[allow(dead_code, reason = "the rest of it is for storing executions")]
mod states {
    mod definition;
    mod interpreter;
    mod millis;
    mod path;

    use std::future::{pending, ready};
    use std::sync::Arc;

    use futures_util::FutureExt;
    use serde_json::{Value, json};
    use tokio::runtime::Builder;

    use self::definition::StateMachine;
    use self::interpreter::{Invoke, Position, Step, TaskError};

    /// More than any path through the machine of this project; a loop would take thousands.
    const MAX_STEPS: usize = 200;

    pub fn check(text: &str) {
        let substitutions = ["PollVideoFunctionArn", "KeepVideoFunctionArn", "Name"]
            .map(|name| (name.to_owned(), "a \"name\"".to_owned()));
        let Ok(machine) = StateMachine::parse(text, &substitutions.into()) else { return };
        // Its waits pass at once.
        let runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        for (input, answer) in [
            (json!({"poll_seconds": 5}), Some(Ok(json!({"status": "completed"})))),
            (json!({"a": {"b": 0}}), Some(Err("Lambda.TooManyRequestsException"))),
            (json!([1]), Some(Err("States.TaskFailed"))),
            (Value::Null, None),
        ] {
            runtime.block_on(run(&machine, input, answer));
        }
    }

    /// `answer` is that of every call; where there is none, the function hangs.
    async fn run(machine: &StateMachine, input: Value, answer: Option<Result<Value, &'static str>>) {
        let invoke: Invoke = Arc::new(move |_, _| match answer.clone() {
            Some(answer) => ready(
                answer.map_err(|error| TaskError { error: error.to_owned(), cause: "x".repeat(40_000) }),
            )
            .boxed(),
            None => pending().boxed(),
        });
        let mut position = Position::start(machine, input);
        for _ in 0..MAX_STEPS {
            match position.step(machine, &invoke).await {
                Step::To(next) => {
                    let stored = serde_json::to_string(&next).expect("it can be stored");
                    assert!(stored.len() < 600_000, "of what is within a state's limit");
                    position = serde_json::from_str(&stored).expect("it can be read again");
                }
                Step::End(Ok(_)) => return,
                Step::End(Err(error)) => {
                    assert!(error.error.chars().count() <= 256 && error.cause.chars().count() <= 32_768);
                    return;
                }
            }
        }
    }
}

fuzz_target!(|text: &str| states::check(text));
