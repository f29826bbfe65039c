//! Contract §7: two owners side by side, through every route, every frame and every push. What isn't in these tables fails them, so
//! that a new one can't be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{self, Sender},
    board::{Board, PNG, form},
    member::{Member, in_seconds, token_until},
    socket::Socket,
};

/// What an owner has: a workspace with a picture in it.
struct Belongings {
    workspace: String,
    /// As it is handed out, signed.
    image_url: String,
}

impl Belongings {
    async fn of(member: &Member<'_>, socket: &mut Socket) -> Self {
        let workspace = socket.create().await;
        let image_url = member.upload(PNG).await;
        socket.update(&workspace, json!({"image_url": image_url})).await;
        Self { workspace, image_url }
    }
}

/// Two owners, each with a connection and something of his own.
async fn both(alice: &Member<'_>, bob: &Member<'_>) -> [(Socket, Belongings); 2] {
    let (mut hers, mut his) = (alice.connect().await, bob.connect().await);
    let of_alice = Belongings::of(alice, &mut hers).await;
    let of_bob = Belongings::of(bob, &mut his).await;
    [(hers, of_alice), (his, of_bob)]
}

fn path(image_url: &str) -> &str {
    image_url.split_once('?').expect("signed").0
}

#[tokio::test]
async fn no_route_knows_what_belongs_to_another() {
    let board = Board::guarded().await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let [(mut hers, of_alice), (_his, of_bob)] = both(&alice, &bob).await;
    alice.generate(&of_alice.workspace, &of_alice.image_url, "").await.data();
    let video_url = loop {
        let told = hers.expect_push("video.status_update").await;
        if told["status"] == "completed" {
            break told["video_url"].as_str().unwrap().to_owned();
        }
    };
    let before = alice.workspaces().await;
    for (method, route) in api::routes() {
        match (method.as_str(), route.as_str()) {
            ("GET", "/api/workspaces") => {
                let listed = bob.workspaces().await;
                assert_eq!(listed.len(), 1);
                assert_eq!(listed[0]["_id"], of_bob.workspace.as_str());
            }
            ("POST", "/api/upload/image") => {
                // What he puts up is no more hers than what she puts up is his.
                let permission =
                    bob.post(&route, &json!({"content_type": "image/png", "size": 100})).await.data();
                let url = permission["upload"]["url"].as_str().unwrap();
                let folder = url.split("/uploads/").nth(1).unwrap().split('/').next().unwrap();
                assert!(of_bob.image_url.contains(&format!("owner={folder}&")), "{url}");
                assert!(!of_alice.image_url.contains(folder), "{url}");
            }
            ("GET", "/api/uploads/{filename}") => {
                bob.get(path(&of_alice.image_url)).await.refused(404, "IMAGE_NOT_FOUND");
                alice.get(path(&of_bob.image_url)).await.refused(404, "IMAGE_NOT_FOUND");
            }
            ("GET", "/api/videos/{filename}") => {
                bob.get(path(&video_url)).await.refused(404, "NOT_FOUND");
                assert_eq!(alice.get(path(&video_url)).await.status, 302);
                // As `<video>` asks for it, without a token; and what of the address is exchanged opens nothing.
                assert_eq!(board.get(&video_url).await.status, 302);
                let others = video_url.replace("/api/videos/", "/api/videos/0");
                board.get(&others).await.refused(401, "UNAUTHORIZED");
            }
            ("POST", "/api/generate/video") => {
                let foreign = bob.generate(&of_alice.workspace, &of_bob.image_url, "").await;
                foreign.refused(404, "WORKSPACE_NOT_FOUND");
                let stolen = bob.generate(&of_bob.workspace, &of_alice.image_url, "").await;
                stolen.refused(404, "IMAGE_NOT_FOUND");
            }
            ("POST", "/api/ai/suggest") => {
                let question = json!({"workspace_id": of_alice.workspace, "user_input": "x"});
                bob.post(&route, &question).await.refused(404, "WORKSPACE_NOT_FOUND");
            }
            other => panic!("{other:?} is not in the matrix of owners"),
        }
    }
    assert_eq!(alice.workspaces().await, before);
    assert_eq!(board.vendor_tasks().await.len(), 1, "hers alone");
    hers.assert_no_push().await;
    board.stop().await;
}

#[tokio::test]
async fn no_route_is_open_without_a_token() {
    let board = Board::guarded().await;
    let alice = board.member("alice");
    let image_url = alice.upload(PNG).await;
    for (method, route) in api::routes() {
        let url = route.replace("{filename}", path(&image_url).rsplit('/').next().unwrap());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        // An expired one stands for all bad ones, of which there are many in `tokens`.
        let expired = format!("Bearer {}", token_until("alice", in_seconds(-120)));
        for header in [None, Some("Bearer"), Some("Bearer x.y.z"), Some("Basic YTpi"), Some(&expired)] {
            let request = board.request(method.clone(), &url);
            // Nor does anybody look at what comes with it.
            let request = match (method.as_str(), header) {
                ("POST", Some(_)) if route == "/api/upload/image" => form(request, PNG, "x", "image/png"),
                ("POST", _) => request.body("{"),
                _ => request,
            };
            let request = match header {
                Some(header) => request.header("authorization", header),
                None => request,
            };
            let answer = board.send(request).await;
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(answer.refused(401, "UNAUTHORIZED"), Value::Null);
        }
    }
    board.stop().await;
}

#[tokio::test]
async fn no_frame_touches_what_belongs_to_another() {
    let board = Board::guarded().await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let [(mut hers, of_alice), (mut his, of_bob)] = both(&alice, &bob).await;
    let before = alice.workspaces().await;
    for name in api::messages(Sender::Client).keys() {
        let data = match name.as_str() {
            "ping" => continue,
            // His own: the same request of hers made another.
            "workspace.create" => {
                let frame = json!({"type": name, "data": {}, "request_id": "same", "client_id": "same"});
                let (of_her, of_him) = (hers.exchange(&frame).await, his.exchange(&frame).await);
                assert_ne!(of_her["data"]["workspace_id"], of_him["data"]["workspace_id"]);
                let id = json!({"workspace_id": of_her["data"]["workspace_id"]});
                hers.expect("workspace.delete", id, "workspace.deleted").await;
                continue;
            }
            "workspace.update" => {
                json!({"workspace_id": of_alice.workspace, "updates": {"form_data.motion_prompt": "mine"}})
            }
            "workspace.delete" | "video.cancel" => json!({"workspace_id": of_alice.workspace}),
            "workspace.reorder" => {
                json!({"reorder_map": {(of_bob.workspace.as_str()): 7, (of_alice.workspace.as_str()): 8}})
            }
            other => panic!("{other} is not in the matrix of owners"),
        };
        let (code, context) = his.refused(name, data).await;
        assert_eq!(code, "WORKSPACE_NOT_FOUND", "{name}");
        assert_eq!(context, json!({"workspace_id": of_alice.workspace}));
    }
    assert_eq!(alice.workspaces().await, before);
    hers.assert_no_push().await;
    board.stop().await;
}

#[tokio::test]
async fn every_push_reaches_its_owner_and_nobody_else() {
    let board = Board::guarded().await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let (mut acting, mut watching, mut stranger) =
        (alice.connect().await, alice.connect().await, bob.connect().await);
    let Belongings { workspace, image_url } = Belongings::of(&alice, &mut acting).await;
    acting
        .expect(
            "workspace.reorder",
            json!({"reorder_map": {(workspace.as_str()): 3}}),
            "workspace.reorder_confirm",
        )
        .await;
    alice.post("/api/ai/suggest", &json!({"workspace_id": workspace, "user_input": "优化运镜"})).await.data();
    alice.generate(&workspace, &image_url, "").await.data();
    let mut told = BTreeMap::<String, Vec<Value>>::new();
    while !told
        .get("video.status_update")
        .is_some_and(|all| all.iter().any(|data| data["status"] == "completed"))
    {
        let (kind, data) = watching.push().await;
        told.entry(kind).or_default().push(data);
    }
    acting.expect("workspace.delete", json!({"workspace_id": workspace}), "workspace.deleted").await;
    let (kind, data) = watching.push().await;
    told.entry(kind).or_default().push(data);

    let all: BTreeSet<String> = api::messages(Sender::Push).into_keys().collect();
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), all, "a push that nobody has tried");
    // What another tab is told of a picture it can show at once.
    let shown = told["workspace.updated"][0]["updates"]["image_url"].as_str().unwrap();
    let answer = board.request(Method::GET, shown).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), PNG);
    stranger.assert_no_push().await;
    board.stop().await;
}

#[tokio::test]
async fn a_picture_is_shown_by_a_signed_address_and_by_no_other() {
    let board = Board::guarded().await;
    let (alice, bob) = (board.member("alice"), board.member("bob"));
    let mut hers = alice.connect().await;
    let Belongings { workspace, image_url } = Belongings::of(&alice, &mut hers).await;
    // The list hands out a signed one, and stores none.
    let listed = alice.workspaces().await[0]["image_url"].as_str().unwrap().to_owned();
    assert_eq!(path(&listed), path(&image_url));
    let row = board.rows("workspaces").find_one(mongodb::bson::doc! {}).await.unwrap().unwrap();
    assert_eq!(row.get_str("image_url").unwrap(), path(&image_url));

    for url in [listed.as_str(), &image_url] {
        let answer = board.request(Method::GET, url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap().as_ref()), (200, PNG));
    }
    // With the token it needs no signature, and a wrong one does no harm then.
    assert_eq!(alice.get(path(&listed)).await.status, 200);
    assert_eq!(alice.get(&format!("{listed}x")).await.status, 200);

    let (name, query) = listed.split_once('?').unwrap();
    let of_bob = bob.upload(PNG).await;
    let key = |url: &str| url.split("owner=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let expires = query.split("expires=").nth(1).unwrap().split('&').next().unwrap();
    for bad in [
        name.to_owned(),
        format!("{listed}x"),
        format!("{name}?{}", query.replace(&key(&listed), &key(&of_bob))),
        format!("{name}?{}", query.replace(expires, "4000000000")),
        format!("{}?{query}", path(&of_bob)),
        format!("{name}?{query}&x=1"),
        format!("/api/uploads/0123456789abcdef.png?{query}"),
        format!("/api/uploads/..%2F{}?{query}", name.rsplit('/').next().unwrap()),
    ] {
        board.get(&bad).await.refused(401, "UNAUTHORIZED");
    }
    // An address reads one picture, and opens nothing else.
    board.get(&format!("/api/workspaces?{query}")).await.refused(401, "UNAUTHORIZED");

    // A client sends back what it got, or the name in it.
    hers.update(&workspace, json!({"image_url": listed})).await;
    hers.update(&workspace, json!({"image_url": name})).await;
    hers.update(&workspace, json!({"image_url": listed, "image_path": null})).await;
    let odd = json!({"workspace_id": workspace, "updates": {"image_url": format!("{name}?x=1")}});
    assert_eq!(hers.refused("workspace.update", odd).await.0, "INVALID_DATA");
    alice.generate(&workspace, &listed, "").await.data();
    board.stop().await;
}

#[tokio::test]
async fn what_was_open_belongs_to_no_token() {
    let board = Board::guarded().await;
    let request = board.request(Method::GET, "/api/workspaces").bearer_auth(crate::member::token("default"));
    board.send(request).await.refused(401, "UNAUTHORIZED");
    board.stop().await;
}
