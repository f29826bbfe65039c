//! A stack of one's own for each test, and an HTTP client of it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{OnceLock, mpsc},
    time::Duration,
};

use local::{
    faults::Faults,
    lambda::Binaries,
    mongod,
    stack::{Config, Stack},
    template::Blueprint,
};
use mongodb::{Collection, bson::Document};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{api::check_answer, socket::Socket};

/// The picture of the tests: it begins like a PNG, and that is all that anybody looks at.
pub const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00";

/// The polling of the tests: as often as can be.
const POLL_SECONDS: &str = "1";
const VIDEO_DURATION: Duration = Duration::from_millis(500);

/// A running stack with a database and a data directory of its own.
pub struct Board {
    stack: Stack,
    http: reqwest::Client,
    database: mongodb::Database,
    data: TempDir,
}

/// What the API answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Self { status, headers, body }
    }

    /// The `data` of a success.
    #[track_caller]
    pub fn data(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(self.body["success"], true);
        self.body["data"].clone()
    }

    /// That it is an error of this status and code: its `details`.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["success"], false);
        assert_eq!(self.body["error"]["code"], code, "{}", self.body);
        assert!(
            self.body["error"]["message"].as_str().is_some_and(|message| !message.is_ascii()),
            "{}",
            self.body
        );
        self.body["error"]["details"].clone()
    }

    /// That the request was wrong in `field`.
    #[track_caller]
    pub fn invalid(self, field: &str) {
        assert_eq!(self.refused(400, "INVALID_PARAMS")["field"], field);
    }
}

/// A form with a picture, as a browser sends one.
pub fn form(request: RequestBuilder, content: &[u8], file_name: &str, content_type: &str) -> RequestBuilder {
    let head = format!(
        "--X\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{file_name}\"\r\n\
         Content-Type: {content_type}\r\n\r\n"
    );
    let body = [head.as_bytes(), content, b"\r\n--X--\r\n"].concat();
    request.header("content-type", "multipart/form-data; boundary=X").body(body)
}

/// The project's root.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// Where a fetched `mongod` is kept between runs, the same as for `cargo run`.
pub fn tools() -> PathBuf {
    project().join(".local")
}

/// One server for the whole test process, and a database for each stack.
///
/// Its thread lives as long as the process: when the thread that started a server ends, the server does.
pub fn mongodb_server() -> &'static str {
    static URI: OnceLock<String> = OnceLock::new();
    URI.get_or_init(|| {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (data, _lock) = database_directory();
                let uri = std::env::var("MONGODB_URI").ok();
                let server = mongod::Database::open(uri, &data, &tools(), None).await.unwrap();
                send.send(server.uri().to_owned()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receive.recv().expect("no database")
    })
}

/// An empty directory for that server, this process's for as long as the lock lives. Nobody is left to remove it when the
/// process ends, and so the next run takes it over instead of a new one: it is hundreds of megabytes.
fn database_directory() -> (PathBuf, File) {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    (0..)
        .find_map(|number| {
            let lock = File::create(all.join(format!("database-{number}.lock"))).unwrap();
            lock.try_lock().ok()?;
            let data = all.join(format!("database-{number}"));
            if data.exists() {
                std::fs::remove_dir_all(&data).unwrap();
            }
            Some((data, lock))
        })
        .expect("numbers without end")
}

/// The functions are built once for the whole test process, and are the same for a test that has a project of its own.
async fn binaries(config: &Config) -> Binaries {
    static BINARIES: OnceCell<Binaries> = OnceCell::const_new();
    let build = || async {
        let blueprint = Blueprint::read(&project().join("template.yaml")).unwrap();
        Binaries::build(&blueprint, config.profile).await.unwrap()
    };
    BINARIES.get_or_init(build).await.clone()
}

impl Board {
    /// A stack as `cargo run` starts it, but quick.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with a parameter of the template.
    pub async fn start_with_parameter(name: &str, value: &str) -> Self {
        Self::start_with_parameters(&[(name, value)]).await
    }

    /// The same, with several.
    pub async fn start_with_parameters(parameters: &[(&str, &str)]) -> Self {
        Self::start_with(|config| {
            let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            config.parameters.extend(given);
        })
        .await
    }

    /// The same, with this secret.
    pub async fn start_with_secret(name: &str, text: &str) -> Self {
        Self::start_with(|config| {
            config.secrets.insert(name.to_owned(), text.to_owned());
        })
        .await
    }

    /// The same, with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let data = TempDir::new().unwrap();
        let server = tokio::task::spawn_blocking(mongodb_server).await.unwrap();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut config = Config::of_project(project()).unwrap();
        config.port = 0;
        config.data = data.path().to_owned();
        config.mongodb_uri = Some(server.to_owned());
        config.video_duration = VIDEO_DURATION;
        config.parameters.insert("PollSeconds".to_owned(), POLL_SECONDS.to_owned());
        config.parameters.insert("MongoDatabase".to_owned(), name.clone());
        change(&mut config);
        config.binaries = Some(binaries(&config).await);
        let uri = config.mongodb_uri.clone().unwrap_or_default();
        let client = mongodb::Client::with_uri_str(uri).await.unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let stack = Stack::start(config).await.unwrap();
        Self { stack, http, database: client.database(&name), data }
    }

    /// Where the stack keeps its data.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Stops the stack, and forgets its database.
    pub async fn stop(self) {
        self.stack.stop().await;
        self.database.drop().await.unwrap();
    }

    /// The same where the database is gone already.
    pub async fn stop_without_database(self) {
        self.stack.stop().await;
    }

    /// Kills all processes of functions, whatever they are at.
    pub async fn stop_functions(&self) {
        self.stack.functions().stop().await;
    }

    /// Kills the processes of a function that are at an event; how many there were.
    pub fn kill(&self, function: &str) -> usize {
        self.stack.functions().kill(function)
    }

    /// How many processes of functions there are.
    pub fn processes(&self) -> usize {
        self.stack.functions().processes()
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        self.stack.faults()
    }

    /// How many sockets the gateway has.
    pub fn sockets(&self) -> usize {
        self.stack.connections()
    }

    /// A new connection.
    pub async fn connect(&self) -> Socket {
        Socket::connect(&self.stack.websocket_url()).await
    }

    pub fn websocket_url(&self) -> String {
        self.stack.websocket_url()
    }

    pub fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.stack.url()) }
    }

    /// A request that is not sent yet; `path` may be a whole address.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// Sends a request. What comes back must be as the description of the API says.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let is_api = request.url().as_str().starts_with(&self.stack.url());
        let answer = Answer::read(self.http.execute(request).await.unwrap()).await;
        if is_api {
            check_answer(&method, &path, answer.status, &answer.body);
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Where a redirect leads.
    pub async fn location(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 302, "{path}: {}", answer.body);
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// All workspaces, as the list shows them.
    pub async fn workspaces(&self) -> Vec<Value> {
        let data = self.get("/api/workspaces").await.data();
        assert_eq!(data["next_cursor"], Value::Null);
        data["workspaces"].as_array().unwrap().clone()
    }

    /// One of them.
    pub async fn workspace(&self, id: &str) -> Value {
        let all = self.workspaces().await;
        all.into_iter().find(|workspace| workspace["_id"] == id).expect("not in the list")
    }

    /// An upload by a form.
    pub fn form(&self, content: &[u8], file_name: &str, content_type: &str) -> RequestBuilder {
        form(self.request(Method::POST, "/api/upload/image"), content, file_name, content_type)
    }

    /// Uploads a picture: its `image_url`.
    pub async fn upload(&self, content: &[u8]) -> String {
        let uploaded = self.send(self.form(content, "picture", "image/png")).await.data();
        uploaded["image_url"].as_str().unwrap().to_owned()
    }

    /// Calls a function of the template without a gateway, as `aws lambda invoke` does.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Value {
        let answer = self.stack.functions().invoke(function, payload.to_string().into()).await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    /// The same, and what the function wrote meanwhile, line by line; an answer that is none is `None`.
    pub async fn try_to_listen(&self, function: &str, payload: &Value) -> (Option<Value>, Vec<Value>) {
        let (outcome, report) = self.stack.functions().call(function, payload.to_string().into()).await;
        let answer = outcome.ok().map(|answer| serde_json::from_slice(&answer).unwrap());
        let lines = report.lines().await.into_iter();
        (answer, lines.map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line))).collect())
    }

    /// The same where there is an answer.
    pub async fn invoke_and_listen(&self, function: &str, payload: &Value) -> (Value, Vec<Value>) {
        let (answer, lines) = self.try_to_listen(function, payload).await;
        (answer.unwrap(), lines)
    }

    /// Gives a secret another text.
    pub fn rotate(&self, secret: &str, text: &str) {
        self.stack.secrets().rotate(secret, text);
    }

    /// Where AWS's APIs for functions are.
    pub fn internal_url(&self) -> &str {
        self.stack.internal_url()
    }

    /// What the sweeper's schedule does each minute.
    pub async fn sweep(&self) {
        self.invoke("SweepStaleFunction", &json!({})).await;
    }

    /// The rows of a collection, to see or change what takes too long to come about by itself.
    pub fn rows(&self, collection: &str) -> Collection<Document> {
        self.database.collection(collection)
    }

    /// How the executions of the state machine are, newest first.
    pub async fn executions(&self) -> Vec<String> {
        let executions = self.list_executions().await;
        executions.iter().map(|execution| execution["status"].as_str().unwrap().to_owned()).collect()
    }

    /// The input of the newest execution.
    pub async fn execution_input(&self) -> Value {
        let newest = self.list_executions().await.swap_remove(0);
        let asked = json!({"executionArn": newest["executionArn"]});
        let described = self.ask_states("DescribeExecution", &asked).await;
        serde_json::from_str(described["input"].as_str().unwrap()).unwrap()
    }

    async fn list_executions(&self) -> Vec<Value> {
        let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:VideoPollingStateMachine";
        let answer = self.ask_states("ListExecutions", &json!({"stateMachineArn": arn})).await;
        answer["executions"].as_array().expect("executions").clone()
    }

    async fn ask_states(&self, operation: &str, body: &Value) -> Value {
        let request = self.http.post(self.stack.internal_url()).json(body);
        let request = request.header("x-amz-target", format!("AWSStepFunctions.{operation}"));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// All tasks that the simulated vendor has accepted, each of which would have been paid.
    pub async fn vendor_tasks(&self) -> Vec<Value> {
        let url = format!("{}/simulation/vendor/tasks", self.stack.internal_url());
        let answer: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        answer["tasks"].as_array().unwrap().clone()
    }
}
