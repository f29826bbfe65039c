//! Contract §5: the program that `cargo run` starts: options, the `ready` line, one clear sentence for what is wrong, and
//! no process left behind.

use serde_json::json;
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use crate::{
    board::{mongodb_server, project, tools},
    program::{Running, assert_all_end, program, program_on, with_database},
    socket::PATIENCE,
};

/// What the program says before it gives up: one sentence, and a non-zero exit.
async fn fails(mut command: Command) -> String {
    let output = timeout(PATIENCE * 4, command.output()).await.expect("did not end").unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    let last = error.trim().lines().last().unwrap().to_owned();
    assert!(!error.contains("panicked"), "{error}");
    last
}

#[tokio::test]
async fn a_board_with_a_database_of_its_own_survives_a_restart_and_leaves_no_process() {
    let data = TempDir::new().unwrap();
    // The server that the other tests use is fetched by then, if there was none.
    tokio::task::spawn_blocking(mongodb_server).await.unwrap();
    assert!(tools().is_dir() || which("mongod"));
    let mut first = Running::start(program(data.path(), &[])).await;
    let id = first.socket().await.create().await;
    let processes = first.descendants();
    assert!(processes.len() >= 3, "a database and functions: {processes:?}");
    first.signal(libc::SIGINT);
    assert!(first.end().await.success());
    assert_all_end(&processes).await;

    let mut second = Running::start(program(data.path(), &[])).await;
    assert_eq!(second.board().await[0]["_id"], id);
    let processes = second.descendants();
    // Not even a chance to clean up.
    second.signal(libc::SIGKILL);
    assert!(!second.end().await.success());
    assert_all_end(&processes).await;

    let mut third = Running::start(program(data.path(), &["--fresh"])).await;
    assert_eq!(third.board().await, json!([]));
    third.signal(libc::SIGTERM);
    assert!(third.end().await.success());
}

fn which(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[tokio::test]
async fn the_log_has_a_line_for_each_call() {
    let data = TempDir::new().unwrap();
    let mut stack = Running::start(with_database(data.path(), &["--video-seconds", "1"])).await;
    stack.socket().await.create().await;
    stack.board().await;
    let mut seen = Vec::new();
    let wanted = ["WS $connect", "WS workspace.create", "GET /api/workspaces"];
    let all = async {
        while !wanted.iter().all(|call| seen.iter().any(|line: &String| line.contains(call))) {
            seen.push(stack.output.recv().await.expect("ended"));
        }
    };
    timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("not in the log"));
    let list = seen.iter().find(|line| line.contains("GET /api/workspaces")).unwrap();
    assert!(list.contains("200") && list.contains(" ms") && list.contains("cold"), "{list}");
    // No colours where nobody sees them.
    assert!(!seen.concat().contains('\u{1b}'));
    stack.signal(libc::SIGINT);
    assert!(stack.end().await.success());
}

#[tokio::test]
async fn what_is_wrong_is_one_clear_sentence() {
    let data = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let sentence = fails(program_on(&port, data.path(), &[])).await;
    assert!(sentence.contains(&port), "{sentence}");
    let sentence = fails(with_database(data.path(), &["--parameter", "Colour=red"])).await;
    assert!(sentence.contains("Colour"), "{sentence}");
    let sentence = fails(with_database(data.path(), &["--parameter", "PollSeconds=0"])).await;
    assert!(sentence.contains("PollSeconds"), "{sentence}");
    let mut command = program(data.path(), &[]);
    command.env("MONGODB_URI", "mongodb://somebody:secret@127.0.0.1:1/?directConnection=true");
    let sentence = fails(command).await;
    assert!(sentence.contains("MONGODB_URI") && !sentence.contains("secret"), "{sentence}");
    let sentence = fails(with_database(data.path(), &["--parameter", "ChatKeyArn=sk-secret"])).await;
    assert!(
        sentence.contains("environment variable CHAT_KEY") && !sentence.contains("sk-secret"),
        "{sentence}"
    );
    let mut command = with_database(data.path(), &[]);
    command.env("AUTH_SECRET", "s3cret");
    let sentence = fails(command).await;
    assert!(sentence.contains("AUTH_SECRET") && !sentence.contains("s3cret"), "{sentence}");
    let sentence = fails(program(data.path(), &["--expose"])).await;
    assert!(sentence.contains("--port"), "{sentence}");
}

#[tokio::test]
async fn a_broken_template_and_a_failing_build_are_said_so() {
    let template = std::fs::read_to_string(project().join("template.yaml")).unwrap();
    for (from, to, named) in [
        ("Resources:\n", "Resources: [\n", "template.yaml"),
        ("!Ref ImagesBucket", "!Ref NoSuchBucket", "NoSuchBucket"),
        ("Path: /api/workspaces", "Pth: /api/workspaces", "ListWorkspacesFunction"),
        ("Binary: list-workspaces", "Binary: no-such-binary", "do not build"),
    ] {
        let root = TempDir::new().unwrap();
        assert!(template.contains(from), "{from}");
        std::fs::write(root.path().join("template.yaml"), template.replacen(from, to, 1)).unwrap();
        for shared in ["Cargo.toml", "Cargo.lock", "functions", "shared", "infra"] {
            std::os::unix::fs::symlink(project().join(shared), root.path().join(shared)).unwrap();
        }
        let mut command = with_database(&root.path().join("data"), &[]);
        command.current_dir(root.path());
        let sentence = fails(command).await;
        assert!(sentence.contains(named), "{from} → {to}: {sentence}");
    }
}
