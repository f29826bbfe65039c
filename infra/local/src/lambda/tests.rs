//! The pool and the Runtime API together.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::testing::Host;
use super::*;
use crate::faults::Fault;

fn error_of(outcome: Result<Bytes, InvokeError>) -> FunctionError {
    match outcome.unwrap_err() {
        InvokeError::Function(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_process_serves_one_event_after_the_other() {
    let host = Host::played(Duration::from_secs(5)).await;
    let first = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, event) = process.next().await;
    assert_eq!(event, json!(1));
    assert_eq!(process.post("invocation/nope/response", "x").await, 400);
    assert_eq!(process.post(&format!("invocation/{id}/response"), "\"one\"").await, 202);
    assert_eq!(first.await.unwrap().unwrap(), "\"one\"");

    // Asks before there is an event; the event goes to it, not to a new process.
    let asking = tokio::spawn(async move { (process.next().await, process) });
    while host.functions.pools["F"].resting() == 0 {
        tokio::task::yield_now().await;
    }
    let second = host.invoke(&json!(2));
    let ((id, event), process) = asking.await.unwrap();
    assert_eq!(event, json!(2));
    let body = json!({"errorType": "Oops", "errorMessage": "no"}).to_string();
    process.post(&format!("invocation/{id}/error"), body).await;
    let error = error_of(second.await.unwrap());
    assert_eq!((error.error_type.as_str(), error.error_message.as_str()), ("Oops", "no"));
    assert_eq!(host.processes(1).await.len(), 1);
    host.functions.stop().await;
    assert!(matches!(host.invoke(&json!(3)).await.unwrap(), Err(InvokeError::Service(_))));
}

#[tokio::test]
async fn concurrent_events_get_processes_of_their_own() {
    let host = Host::played(Duration::from_secs(5)).await;
    let calls = [host.invoke(&json!(1)), host.invoke(&json!(2))];
    for process in host.processes(2).await {
        let (id, event) = process.next().await;
        process.post(&format!("invocation/{id}/response"), event.to_string()).await;
    }
    for (call, expected) in calls.into_iter().zip(["1", "2"]) {
        assert_eq!(call.await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_new_process_that_asks_early_is_kept_for_its_first_event() {
    let host = Host::played(Duration::from_secs(5)).await;
    let (pool, binary) = (&host.functions.pools["F"], host.directory.path().join("bootstrap"));
    let directory = ("DIRECTORY".to_owned(), host.directory.path().display().to_string());
    // Started for an event that is not delivered yet.
    let _worker = host.functions.workers.start(pool, &binary, &[directory]).await.unwrap();
    let early = host.process().await;
    let id = early.id;
    let asking = tokio::spawn(async move { early.next().await });
    host.process().await.wait_for_state("T").await;
    assert_eq!(pool.resting(), 0);
    let _other = host.invoke(&json!(2));
    let processes = host.processes(2).await;
    let (_, event) = processes.iter().find(|process| process.id != id).unwrap().next().await;
    assert_eq!(event, json!(2));
    assert!(!asking.is_finished());
}

#[tokio::test]
async fn a_slow_function_is_killed_at_its_timeout() {
    let host = Host::played(Duration::from_millis(50)).await;
    let call = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, _) = process.next().await;
    let error = error_of(call.await.unwrap());
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert_eq!(error.error_message, format!("RequestId: {id} Error: Task timed out after 0.05 seconds"));
    // The next event gets a new process.
    let _call = host.invoke(&json!(2));
    host.processes(2).await;
}

#[tokio::test]
async fn an_answer_over_6_mb_is_an_error() {
    let host = Host::played(Duration::from_secs(5)).await;
    let call = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, _) = process.next().await;
    assert_eq!(process.post(&format!("invocation/{id}/response"), vec![b'1'; RESPONSE_LIMIT + 1]).await, 413);
    assert_eq!(error_of(call.await.unwrap()).error_type, "Function.ResponseSizeTooLarge");
    let too_large = host.functions.invoke("F", vec![b'1'; REQUEST_LIMIT + 1].into()).await;
    assert!(matches!(too_large, Err(InvokeError::PayloadTooLarge)));
}

#[tokio::test]
async fn a_process_that_dies_is_reported_and_replaced() {
    let host = Host::start("echo $$ >> $DIRECTORY/starts; exit 3", Duration::from_secs(5), None).await;
    for starts in 1..=2 {
        let error = error_of(host.functions.invoke("F", "1".into()).await);
        assert_eq!(error.error_type, "Runtime.ExitError");
        assert!(error.error_message.contains("exit status 3"), "{}", error.error_message);
        assert_eq!(fs::read_to_string(host.directory.path().join("starts")).unwrap().lines().count(), starts);
    }
}

#[tokio::test]
async fn reserved_concurrency_throttles() {
    let host = Host::start("exec sleep 600", Duration::from_secs(5), Some(0)).await;
    assert!(matches!(host.functions.invoke("F", "1".into()).await, Err(InvokeError::Throttled(_))));
}

#[tokio::test]
async fn the_invoke_api_tells_a_failed_function_from_an_unknown_one() {
    let host = Host::start("exit 3", Duration::from_secs(5), None).await;
    let post = async |name: &str| {
        let url = format!("{}/2015-03-31/functions/{name}/invocations", host.url);
        reqwest::Client::new().post(url).body("{}").send().await.unwrap()
    };
    let failed = post("arn:aws:lambda:us-east-1:123456789012:function:F").await;
    assert_eq!(
        (failed.status().as_u16(), failed.headers()["x-amz-function-error"].to_str().unwrap()),
        (200, "Unhandled")
    );
    let unknown = post("G").await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    host.faults.switch(Fault::Throttle, 1.0);
    let throttled = post("F").await;
    assert_eq!(throttled.status(), 429);
    assert_eq!(throttled.headers()["x-amzn-errortype"], "TooManyRequestsException");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_process_is_frozen_between_its_events() {
    let host = Host::played(Duration::from_secs(5)).await;
    let first = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, _) = process.next().await;
    process.post(&format!("invocation/{id}/response"), "1").await;
    first.await.unwrap().unwrap();
    // It has answered, but may still write a line.
    process.wait_for_state("S").await;
    let asking = tokio::spawn(async move { (process.next().await, process) });
    host.process().await.wait_for_state("T").await;
    let second = host.invoke(&json!(2));
    let ((id, _), process) = asking.await.unwrap();
    process.wait_for_state("S").await;
    process.post(&format!("invocation/{id}/response"), "2").await;
    assert_eq!(second.await.unwrap().unwrap(), "2");

    let asking = tokio::spawn(async move { process.next().await });
    host.process().await.wait_for_state("T").await;
    // Frozen ones end with the others.
    host.functions.stop().await;
    asking.abort();
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_process_that_takes_more_than_its_memory_is_killed() {
    let greedy = "echo $AWS_LAMBDA_RUNTIME_API > $DIRECTORY/$$.new; mv $DIRECTORY/$$.new $DIRECTORY/$$.api; \
        while [ ! -e $DIRECTORY/go ]; do sleep 0.01; done; \
        x=$(head -c 150000000 /dev/zero | tr '\\0' x); sleep 600";
    let host = Host::start(greedy, Duration::from_secs(60), None).await;
    let call = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, _) = process.next().await;
    fs::write(host.directory.path().join("go"), "").unwrap();
    let error = error_of(call.await.unwrap());
    assert_eq!(error.error_type, "Runtime.OutOfMemory");
    let message = format!("RequestId: {id} Error: Runtime exited with error: signal: killed");
    assert_eq!(error.error_message, message);
}

#[tokio::test]
async fn faults_are_in_the_way_of_invocations() {
    let host = Host::answering(|event| Some(event.clone())).await;
    let only = |fault| {
        crate::faults::FAULTS.iter().for_each(|(other, ..)| host.faults.switch(*other, 0.0));
        host.faults.switch(fault, 1.0);
    };
    only(Fault::Throttle);
    assert!(matches!(host.functions.invoke("F", "1".into()).await, Err(InvokeError::Throttled(_))));
    only(Fault::Drop);
    assert!(matches!(host.functions.invoke("F", "2".into()).await, Err(InvokeError::Service(_))));
    assert!(host.events.lock().unwrap().is_empty());
    only(Fault::Delay);
    assert_eq!(host.functions.invoke("F", "3".into()).await.unwrap(), "3");
    only(Fault::Repeat);
    assert_eq!(host.functions.invoke("F", "4".into()).await.unwrap(), "4");
    host.faults.switch(Fault::Repeat, 0.0);
    while host.events.lock().unwrap().iter().filter(|event| **event == json!(4)).count() < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_event_is_overtaken() {
    let host = Host::answering(|event| Some(event.clone())).await;
    // A process is there already: a start may take longer than an event waits.
    host.functions.invoke("F", "0".into()).await.unwrap();
    host.faults.switch(Fault::Reorder, 1.0);
    let first = host.invoke(&json!(1));
    host.faults.struck(Fault::Reorder, 1).await;
    host.faults.switch(Fault::Reorder, 0.0);
    host.functions.invoke("F", "2".into()).await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(*host.events.lock().unwrap(), [json!(0), json!(2), json!(1)]);
}

#[tokio::test]
async fn a_process_is_killed_in_mid_event() {
    let host = Host::played(Duration::from_secs(60)).await;
    host.faults.switch(Fault::Kill, 1.0);
    let call = host.invoke(&json!(1));
    let first = host.process().await;
    first.next().await;
    let error = error_of(call.await.unwrap());
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(error.error_message.contains("signal: killed"), "{}", error.error_message);

    host.faults.switch(Fault::Kill, 0.0);
    let call = host.invoke(&json!(2));
    let processes = host.processes(2).await;
    processes.iter().find(|process| process.id != first.id).unwrap().next().await;
    assert_eq!(host.functions.kill("G"), 0);
    assert_eq!(host.functions.kill("F"), 1);
    assert_eq!(error_of(call.await.unwrap()).error_type, "Runtime.ExitError");
}
