//! Contract §7: who is let in by a token, at the routes and at the handshake.

use local::secrets::AUTH_SECRET;
use mongodb::bson::doc;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error as SocketError, client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    board::{Answer, Board},
    issuer::{AUDIENCE, Issuer, Key},
    member::{SECRET, hs256, in_seconds, signed, token, token_until},
    program::{Running, with_database},
    socket::{PATIENCE, Socket},
};

async fn guarded_by(issuer: &Issuer) -> Board {
    Board::start_with(|config| {
        for (name, value) in
            [("Authentication", "openid"), ("TokenIssuer", issuer.url()), ("TokenAudience", AUDIENCE)]
        {
            config.parameters.insert(name.to_owned(), value.to_owned());
        }
        config.secrets.insert(AUTH_SECRET.to_owned(), SECRET.to_owned());
    })
    .await
}

async fn list_with(board: &Board, token: &str) -> Answer {
    board.send(board.request(Method::GET, "/api/workspaces").bearer_auth(token)).await
}

/// The status of a handshake with these headers, and the protocol that was selected.
async fn handshake(url: &str, headers: &[(&'static str, &str)]) -> (u16, Option<String>) {
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    match connect_async(request).await {
        Ok((_, response)) => {
            let protocol = response.headers().get("sec-websocket-protocol");
            (101, protocol.map(|protocol| protocol.to_str().unwrap().to_owned()))
        }
        Err(SocketError::Http(response)) => (response.status().as_u16(), None),
        Err(other) => panic!("{other}"),
    }
}

/// That a token gets nobody in, by any door.
async fn assert_refused(board: &Board, token: &str, why: &str) {
    assert_eq!(list_with(board, token).await.status, 401, "{why}");
    assert_eq!(handshake(&board.websocket_url_with(token), &[]).await.0, 401, "{why}");
}

#[tokio::test]
async fn tokens_of_an_issuer_open_every_door() {
    let issuer = Issuer::start().await;
    let (rsa, ec) = (Key::rsa(), Key::ec());
    let other_kind = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AAAA"});
    issuer.show(&[rsa.jwk("rsa"), ec.jwk("ec"), other_kind]);
    let board = guarded_by(&issuer).await;
    for (key, id) in [(&rsa, "rsa"), (&ec, "ec")] {
        let token = issuer.token(key, id);
        list_with(&board, &token).await.data();
        assert_eq!(handshake(&board.websocket_url_with(&token), &[]).await, (101, None));
        // Of the two protocols only the first is one.
        let offer = [("sec-websocket-protocol", format!("motionboard, {token}"))];
        let offer = [(offer[0].0, offer[0].1.as_str())];
        let selected = handshake(&board.websocket_url(), &offer).await;
        assert_eq!(selected, (101, Some("motionboard".to_owned())));
    }
    // Both are the same owner's.
    let mut socket = Socket::connect(&board.websocket_url_with(&issuer.token(&rsa, "rsa"))).await;
    let id = socket.create().await;
    assert_eq!(list_with(&board, &issuer.token(&ec, "ec")).await.data()["workspaces"][0]["_id"], id);
    // Once for each process, however many tokens come.
    assert!(issuer.looks() <= board.processes(), "{} looks", issuer.looks());
    board.stop().await;
}

#[tokio::test]
async fn bad_tokens_open_none() {
    let issuer = Issuer::start().await;
    let (rsa, ec, forged) = (Key::rsa(), Key::ec(), Key::rsa());
    issuer.show(&[rsa.jwk("rsa"), ec.jwk("ec")]);
    let board = guarded_by(&issuer).await;
    let with = |changes: Value| {
        let mut claims = issuer.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        signed(&json!({"alg": "RS256", "kid": "rsa"}), &claims, |text| rsa.sign(text))
    };
    list_with(&board, &with(json!({}))).await.data();
    for changes in [
        json!({"exp": in_seconds(-61)}),
        json!({"exp": null}),
        json!({"exp": "never"}),
        json!({"nbf": in_seconds(120)}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"aud": "another application"}),
        json!({"aud": null}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": {"$ne": null}}),
    ] {
        assert_refused(&board, &with(changes.clone()), &changes.to_string()).await;
    }
    let claims = issuer.claims();
    let good = issuer.token(&rsa, "rsa");
    let (text, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = text.split_once('.').unwrap();
    let none = signed(&json!({"alg": "none", "kid": "rsa"}), &claims, |_| Vec::new());
    for (why, token) in [
        ("no signature", none.clone()),
        ("no signature, and no dot", none.trim_end_matches('.').to_owned()),
        ("nOnE", signed(&json!({"alg": "nOnE", "kid": "rsa"}), &claims, |_| Vec::new())),
        ("a signature taken away", format!("{text}.")),
        ("another's key", signed(&json!({"alg": "RS256", "kid": "rsa"}), &claims, |text| forged.sign(text))),
        ("an unknown key", signed(&json!({"alg": "RS256", "kid": "x"}), &claims, |text| rsa.sign(text))),
        ("no key named among two", signed(&json!({"alg": "RS256"}), &claims, |text| rsa.sign(text))),
        (
            "a key of another kind",
            signed(&json!({"alg": "ES256", "kid": "rsa"}), &claims, |text| ec.sign(text)),
        ),
        (
            "the wrong key named",
            signed(&json!({"alg": "RS256", "kid": "ec"}), &claims, |text| rsa.sign(text)),
        ),
        // The public key, which everybody knows, passed off as a shared secret.
        (
            "key confusion",
            signed(&json!({"alg": "HS256", "kid": "rsa"}), &claims, hs256(&rsa.secret_of_a_fool())),
        ),
        (
            "key confusion",
            signed(&json!({"alg": "HS256", "kid": "ec"}), &claims, hs256(&ec.secret_of_a_fool())),
        ),
        (
            "key confusion",
            signed(
                &json!({"alg": "HS256", "kid": "rsa"}),
                &claims,
                hs256(rsa.jwk("rsa").to_string().as_bytes()),
            ),
        ),
        // What signs addresses signs no tokens here.
        ("our own secret", signed(&json!({"alg": "HS256", "kid": "rsa"}), &claims, hs256(SECRET.as_bytes()))),
        ("a key that the token brings", {
            let header = json!({"alg": "RS256", "kid": "mine", "jwk": forged.jwk("mine"), "jku": "http://127.0.0.1:1/"});
            signed(&header, &claims, |text| forged.sign(text))
        }),
        (
            "claims exchanged",
            format!("{head}.{}.{signature}", with(json!({"sub": "bob"})).split('.').nth(1).unwrap()),
        ),
        ("a piece missing", format!("{body}.{signature}")),
        ("not a token", "x".to_owned()),
    ] {
        assert_refused(&board, &token, why).await;
    }
    assert_eq!(handshake(&board.websocket_url(), &[]).await.0, 401);
    assert_eq!(handshake(&board.websocket_url(), &[("sec-websocket-protocol", "motionboard")]).await.0, 401);
    assert_eq!(board.rows("connections").count_documents(doc! {}).await.unwrap(), 0);
    board.stop().await;
}

#[tokio::test]
async fn a_new_key_is_good_at_once_and_a_withdrawn_one_no_more() {
    let issuer = Issuer::start().await;
    let (old, new) = (Key::rsa(), Key::ec());
    issuer.show(&[old.jwk("old")]);
    let board = guarded_by(&issuer).await;
    list_with(&board, &issuer.token(&old, "old")).await.data();
    issuer.show(&[new.jwk("new")]);
    list_with(&board, &issuer.token(&new, "new")).await.data();
    // By the process that has looked; another believes its keys for an hour.
    let refused = async { while list_with(&board, &issuer.token(&old, "old")).await.status != 401 {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("the old key is still good");
    // Whoever makes up keys doesn't make anybody ask the issuer each time: a process asks once for its first token and once more.
    for n in 0..50 {
        let made_up = issuer.token(&new, &format!("made up {n}"));
        list_with(&board, &made_up).await.refused(401, "UNAUTHORIZED");
    }
    assert!(issuer.looks() <= 2 * board.processes(), "{} looks", issuer.looks());
    board.stop().await;
}

#[tokio::test]
async fn an_issuer_that_is_down_locks_out_nobody_who_is_in_and_lets_in_nobody_new() {
    let issuer = Issuer::start().await;
    let key = Key::ec();
    issuer.show(&[key.jwk("k")]);
    let board = guarded_by(&issuer).await;
    list_with(&board, &issuer.token(&key, "k")).await.data();
    issuer.break_down();
    // The process that knows the keys goes on with them; a new one, if it comes to that, can't tell.
    for (id, wanted) in [("k", 200), ("other", 401)] {
        let answered = async { while list_with(&board, &issuer.token(&key, id)).await.status != wanted {} };
        tokio::time::timeout(PATIENCE, answered).await.expect("no process remembers its keys");
    }
    board.stop().await;

    let board = guarded_by(&issuer).await;
    let answer = list_with(&board, &issuer.token(&key, "k")).await;
    assert!(answer.headers.contains_key("retry-after"));
    answer.refused(503, "SERVICE_UNAVAILABLE");
    assert_eq!(handshake(&board.websocket_url_with(&issuer.token(&key, "k")), &[]).await.0, 503);
    issuer.show(&[key.jwk("k")]);
    // Some seconds later, for an issuer that fails is not asked for each token.
    let open = async { while list_with(&board, &issuer.token(&key, "k")).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, open).await.expect("the issuer is up again");
    board.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_connection() {
    let board =
        Board::guarded_with(&[("AllowedOrigins", "https://studio.example,https://other.example")]).await;
    let good = board.websocket_url_with(&token("alice"));
    for origin in ["https://studio.example", "https://other.example"] {
        assert_eq!(handshake(&good, &[("origin", origin)]).await.0, 101);
    }
    for origin in
        ["https://evil.example", "https://studio.example.evil.example", "http://studio.example", "null"]
    {
        assert_eq!(handshake(&good, &[("origin", origin)]).await.0, 403, "{origin}");
    }
    // What is no browser has no origin, but needs a token all the same.
    assert_eq!(handshake(&good, &[]).await.0, 101);
    assert_eq!(handshake(&board.websocket_url(), &[]).await.0, 401);
    assert_eq!(handshake(&board.websocket_url(), &[("origin", "https://studio.example")]).await.0, 401);
    board.stop().await;
}

#[tokio::test]
async fn an_expired_token_says_and_hears_nothing_and_is_closed_by_the_sweep() {
    let board = Board::guarded_with(&[("FramesPerSecond", "1000000")]).await;
    // With the minute that clocks may differ by, it has seven seconds or eight.
    let short = token_until("alice", in_seconds(-52));
    let mut ending = Socket::connect(&board.websocket_url_with(&short)).await;
    let mut lasting = board.member("alice").connect().await;
    let id = ending.create().await;
    lasting.expect_push("workspace.created").await;
    let error = loop {
        let answer = ending.request("ping", json!({})).await;
        if answer["type"] == "error" {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(error["data"]["code"], "UNAUTHORIZED");
    for (kind, data) in [
        ("workspace.create", json!({})),
        ("workspace.update", json!({"workspace_id": id, "updates": {"form_data.x": 1}})),
        ("workspace.delete", json!({"workspace_id": id})),
        ("workspace.reorder", json!({"reorder_map": {(id.as_str()): 1}})),
        ("nonsense", json!({})),
    ] {
        assert_eq!(ending.refused(kind, data).await.0, "UNAUTHORIZED", "{kind}");
    }
    list_with(&board, &short).await.refused(401, "UNAUTHORIZED");
    lasting.update(&id, json!({"form_data.x": 2})).await;
    board.sweep().await;
    assert_eq!(ending.frames_until_closed().await, Vec::<String>::new());
    lasting.assert_no_push().await;
    assert_eq!(board.member("alice").workspaces().await.len(), 1);
    board.stop().await;
}

#[tokio::test]
async fn a_connection_that_nobody_remembers_is_told_to_come_again() {
    let board = Board::guarded().await;
    let mut socket = board.member("alice").connect().await;
    board.rows("connections").delete_many(doc! {}).await.unwrap();
    assert_eq!(socket.refused("workspace.create", json!({})).await.0, "UNAUTHORIZED");
    // The stack's own first sweep may have been slow enough to see it already.
    board.sweep().await;
    assert_eq!(socket.frames_until_closed().await, Vec::<String>::new());
    board.stop().await;
}

#[tokio::test]
async fn a_connection_from_the_time_when_all_were_let_in_is_no_way_in() {
    let board = Board::guarded().await;
    let mut socket = board.member("alice").connect().await;
    let open = doc! {"$set": {"owner": "default", "token_expires_at": null}};
    board.rows("connections").update_one(doc! {}, open).await.unwrap();
    assert_eq!(socket.refused("workspace.create", json!({})).await.0, "UNAUTHORIZED");
    board.sweep().await;
    assert_eq!(socket.frames_until_closed().await, Vec::<String>::new());
    board.stop().await;
}

#[tokio::test]
async fn what_a_page_sends_as_it_closes_is_still_its_owners() {
    let board = Board::guarded().await;
    let alice = board.member("alice");
    let id = alice.connect().await.create().await;
    for n in 0..10 {
        let mut socket = alice.connect().await;
        let update = json!({"workspace_id": id, "updates": {(format!("form_data.n{n}")): n}});
        let frame = socket.frame("workspace.update", update);
        socket.send(&frame).await;
        socket.close().await;
    }
    // Whatever of it came at all was carried out: there is nobody else whom it could be.
    let written = async {
        loop {
            let form = alice.workspaces().await[0]["form_data"].clone();
            if (0..10).all(|n| form[format!("n{n}")] == n) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, written).await.expect("a last frame was lost");
    board.stop().await;
}

#[tokio::test]
async fn the_command_makes_tokens_and_no_token_is_ever_logged() {
    let data = TempDir::new().unwrap();
    let mut command = with_database(data.path(), &["--parameter", "Authentication=secret"]);
    command.env(AUTH_SECRET, SECRET);
    let mut stack = Running::start(command).await;
    let make = |secret: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_token"));
        command.args(["alice", "--hours", "1"]).env("AUTH_SECRET", secret).output().unwrap()
    };
    let made = make(SECRET);
    assert!(made.status.success());
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let short = make("too short");
    assert!(!short.status.success() && String::from_utf8_lossy(&short.stderr).contains("AUTH_SECRET"));

    let url = stack.url.replace("http://", "ws://");
    let (bad, other) = (format!("{token}x"), token_until("bob", in_seconds(-999)));
    assert_eq!(handshake(&format!("{url}/?token={token}"), &[]).await.0, 101);
    assert_eq!(handshake(&format!("{url}/?token={bad}"), &[]).await.0, 401);
    let offer = format!("motionboard, {token}");
    assert_eq!(handshake(&url, &[("sec-websocket-protocol", &offer)]).await.0, 101);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (token, status) in [(&token, 200), (&bad, 401), (&other, 401)] {
        let list = http.get(format!("{}/api/workspaces?last={status}", stack.url)).bearer_auth(token);
        assert_eq!(list.send().await.unwrap().status(), status);
    }
    stack.signal(libc::SIGINT);
    assert!(stack.end().await.success());
    let mut log = Vec::new();
    while let Some(line) = stack.output.recv().await {
        log.push(line);
    }
    assert!(log.iter().any(|line| line.contains("GET /api/workspaces") && line.contains("401")), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("token refused")), "{log:#?}");
    let errors = stack.errors().await;
    // Neither whole nor in part.
    for piece in [&token, &other].into_iter().flat_map(|token| token.split('.').skip(1)) {
        assert!(
            !log.iter().any(|line| line.contains(piece)) && !errors.contains(piece),
            "{piece} in {log:#?}"
        );
    }
}

#[tokio::test]
async fn an_open_board_says_so_loudly() {
    let data = TempDir::new().unwrap();
    let mut command = with_database(data.path(), &[]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let mut warned = false;
    while let Some(line) = lines.next_line().await.unwrap() {
        warned |= line.contains("authentication is OFF");
        if line.starts_with("ready ") {
            break;
        }
    }
    assert!(warned);
    child.kill().await.unwrap();
}
