//! What clients do by REST: pictures, videos, suggestions.

use std::sync::Arc;
use std::time::Instant;

use local::simulation::Protocol;
use local::simulation::steering::{ARK_ERRORS, KLING_ERRORS, PROXY_ERRORS, RUNWAY_ERRORS};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{Client, Done};
use crate::journal::{End, Journal, Kind, Operation, Picture, Suggestion};
use crate::wire::{Answer, Wire};

/// What a vendor does on a bad day; after `:` goes one of its errors (infra/local/src/simulation/steering.rs).
const WORDS: [&str; 13] = [
    "#refuse", "#create:", "#create:", "#create:", "#accept:", "#lost", "#query:", "#query:", "#flaky",
    "#stall", "#fail", "#gone", "#cut",
];
/// A picture that begins like a PNG; what follows makes it different from all others.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x04\x00\x00\x00\x04\x00\x08\x02\x00\x00\x00";

/// The errors of a vendor, as it names them.
pub fn errors(vendor: Option<Protocol>) -> Vec<String> {
    let own: Vec<String> = match vendor {
        Some(Protocol::Ark) => ARK_ERRORS.iter().map(|(code, _)| (*code).to_owned()).collect(),
        Some(Protocol::Kling) => KLING_ERRORS.iter().map(|(code, ..)| code.to_string()).collect(),
        Some(Protocol::Runway) => RUNWAY_ERRORS.iter().map(|(code, ..)| (*code).to_owned()).collect(),
        Some(Protocol::Plain) | None => {
            [400, 401, 402, 403, 404, 429, 500].map(|status| status.to_string()).to_vec()
        }
    };
    own.into_iter().chain(PROXY_ERRORS.iter().map(|(code, ..)| (*code).to_owned())).collect()
}

/// What a request needs besides its client.
struct Request {
    wire: Wire,
    journal: Arc<Journal>,
    owner: usize,
    client: usize,
    workspace: String,
    /// What nothing else has.
    name: String,
}

impl Request {
    fn begin(&self, kind: Kind) -> usize {
        let about = (kind == Kind::Generate).then(|| self.workspace.clone());
        self.journal.begin(Operation { about, ..Operation::new(kind, self.owner, self.client) })
    }

    /// A picture of its own: its address, where it was stored.
    async fn upload(&self) -> Option<String> {
        let operation = self.begin(Kind::Upload);
        let bytes = [PNG, self.name.as_bytes()].concat();
        let head = "--X\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n";
        let body = [head.as_bytes(), &bytes, b"\r\n--X--\r\n"].concat();
        let request = || {
            let request = self.wire.request(Method::POST, "/api/upload/image");
            request.header("content-type", "multipart/form-data; boundary=X").body(body.clone())
        };
        let answer = self.wire.insist(request).await;
        let url = answer.body["data"]["image_url"].as_str().map(str::to_owned);
        let end = self.end_of(&answer);
        if let (Some(url), End::Acknowledged) = (&url, end) {
            let picture = Picture { owner: self.owner, url: url.clone(), bytes };
            self.journal.records().pictures.push(picture);
        }
        self.journal.end(operation, end);
        url
    }

    fn end_of(&self, answer: &Answer) -> End {
        match answer.status {
            StatusCode::OK => End::Acknowledged,
            _ if answer.is_passing() => End::Unknown,
            // What the vendor did may be a refusal, or what nobody knows.
            StatusCode::BAD_GATEWAY | StatusCode::CONFLICT | StatusCode::NOT_FOUND => End::Refused,
            status => {
                self.journal.violation(format!("a good request was refused: {status} {}", answer.code()));
                End::Refused
            }
        }
    }

    /// Has a video made of a picture, first uploaded where there is none; the request is repeated under its key until there is an
    /// answer.
    async fn generate(self, picture: Option<String>, words: String, is_hasty: bool) -> Done {
        let picture = match picture {
            Some(picture) => Some(picture),
            None => self.upload().await,
        };
        if let Some(image_url) = &picture {
            let one = self.order(image_url, format!("order-{} {words}", self.name));
            if is_hasty {
                // In two tabs at once: one of them wins.
                let two = self.order(image_url, format!("order-{}-again", self.name));
                let (one, two) = tokio::join!(one, two);
                if let (Some(one), Some(two)) = (one, two)
                    && words.is_empty()
                    && one.0.max(two.0) - one.0.min(two.0) < 1.0
                {
                    self.journal.violation(format!(
                        "{}: two generations at once, {} and {}",
                        self.name, one.1, two.1
                    ));
                }
            } else {
                one.await;
            }
        }
        Done::Generated(self.workspace, picture)
    }

    /// When it was answered, in seconds since the operation began, and the task, if one was accepted.
    async fn order(&self, image_url: &str, prompt: String) -> Option<(f64, String)> {
        let operation = self.begin(Kind::Generate);
        let began = Instant::now();
        let body = json!({"workspace_id": self.workspace, "image_url": image_url, "params": {"motion_prompt": prompt}});
        let request = || {
            let request = self.wire.request(Method::POST, "/api/generate/video").json(&body);
            request.header("idempotency-key", &prompt)
        };
        let answer = self.wire.insist(request).await;
        if answer.code() == "IMAGE_NOT_FOUND" {
            self.journal.violation(format!("{image_url} was stored, and is not found"));
        }
        let task = answer.body["data"]["task_id"].as_str();
        self.journal.records().operations[operation].task = task.map(str::to_owned);
        self.journal.end(operation, self.end_of(&answer));
        let task = task?;
        Some((began.elapsed().as_secs_f64(), task.to_owned()))
    }

    async fn suggest(self) -> Done {
        let operation = self.begin(Kind::Suggest);
        let body = json!({"workspace_id": self.workspace, "user_input": format!("{} 推进一点", self.name)});
        let request = || self.wire.request(Method::POST, "/api/ai/suggest").json(&body);
        // Once: a second answer would be a second exchange.
        let answer = self.wire.send(request()).await;
        let end = self.end_of(&answer);
        if end == End::Acknowledged {
            let asked = body["user_input"].as_str().unwrap_or_default().to_owned();
            let suggestion = Suggestion { workspace: self.workspace, asked, answered: Instant::now() };
            self.journal.records().suggestions.push(suggestion);
        }
        self.journal.end(operation, end);
        Done::Nothing
    }
}

impl Client {
    fn request(&mut self, workspace: String) -> Request {
        Request {
            wire: self.wire.clone(),
            journal: Arc::clone(&self.journal),
            owner: self.owner,
            client: self.number,
            workspace,
            name: self.unique(),
        }
    }

    /// The workspaces that this client made and has no request for: so no other key comes between a request and its repeat.
    pub fn own(&self) -> Vec<String> {
        let records = self.journal.records();
        let is_own =
            |id: &String| records.workspaces.get(id).is_some_and(|known| known.created_by == self.number);
        self.view.ids().into_iter().filter(|id| is_own(id) && !self.reserved.contains(id)).collect()
    }

    /// Has a video made.
    pub fn generate(&mut self, is_steered: bool) {
        let Some(workspace) = self.pick(&self.own()) else { return };
        let words = if is_steered { self.words() } else { String::new() };
        self.generate_of(workspace, None, words);
    }

    /// Has another video made for this workspace at once, of the last picture.
    pub fn generate_again(&mut self, workspace: String) {
        self.generate_of(workspace, self.picture.clone(), String::new());
    }

    fn generate_of(&mut self, workspace: String, picture: Option<String>, words: String) {
        self.reserved.push(workspace.clone());
        let is_hasty = self.random.u8(..) < 80 && !self.cancelled.contains(&workspace);
        let request = self.request(workspace);
        self.requests.push(Box::pin(request.generate(picture, words, is_hasty)));
    }

    fn words(&mut self) -> String {
        let word = *self.random.choice(WORDS.iter()).unwrap_or(&WORDS[0]);
        match word {
            // A vendor that says "refused" and charges all the same could not be helped.
            "#accept:" => "#accept:502".to_owned(),
            word if word.ends_with(':') => {
                let error = self.random.choice(self.vendor_errors.iter()).cloned().unwrap_or_default();
                format!("{word}{error}")
            }
            word => word.to_owned(),
        }
    }

    /// Asks the chat model.
    pub fn suggest(&mut self) {
        let Some(workspace) = self.pick(&self.view.ids()) else { return };
        let request = self.request(workspace);
        self.requests.push(Box::pin(request.suggest()));
    }
}
