//! Everything together: what `cargo run` starts, and what tests start many times in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::faults::{Chance, Faults};
use crate::gateway::http::HttpGateway;
use crate::gateway::management;
use crate::gateway::websocket::{Connections, WebSocketGateway};
use crate::lambda::{Binaries, Endpoints, Functions, Profile};
use crate::mongod::Database;
use crate::page::Page;
use crate::parameters::{self, CHAT};
use crate::process::Spawner;
use crate::schedule::Schedule;
use crate::secrets::{AUTH_SECRET, MIN_AUTH_SECRET_BYTES, MONGODB_URI, Secrets};
use crate::server::{Listener, Server};
use crate::simulation::{self, Protocol, Vendor, chat};
use crate::states::Machines;
use crate::template::Blueprint;
use crate::{reference, s3, secrets, services};

/// How long the `$disconnect` of open connections may take when the stack stops.
const DISCONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The fixed ports of an exposed stack, counted from the public one: the internal port, that of S3, and that of the database.
const EXPOSED_SERVICES: u16 = 1;
pub(crate) const EXPOSED_S3: u16 = 2;
pub(crate) const EXPOSED_DATABASE: u16 = 3;

/// What can be chosen; contract §5.
#[derive(Debug, Clone)]
pub struct Config {
    /// Path of `template.yaml`.
    pub template: PathBuf,
    /// The public port on 127.0.0.1; 0 is any that is free.
    pub port: u16,
    /// Where data is kept.
    pub data: PathBuf,
    /// Whether to begin empty.
    pub fresh: bool,
    /// How the functions are built.
    pub profile: Profile,
    /// Parameters of the template.
    pub parameters: BTreeMap<String, String>,
    /// How long a simulated generation takes.
    pub video_duration: Duration,
    /// The real video vendor whose simulation takes its place, with the key that this one lets in; else it is the plain one,
    /// where the parameter `VideoVendor` names no real one.
    pub vendor: Option<Protocol>,
    /// A database to use instead of the stack's own.
    pub mongodb_uri: Option<String>,
    /// Texts of secrets, by the environment variables of [`secrets::NAMES`].
    pub secrets: BTreeMap<String, String>,
    /// Whether what functions use has fixed ports on all addresses of this machine, so that functions in containers reach it.
    pub expose: bool,
    /// Functions that are built already.
    pub binaries: Option<Binaries>,
    /// What is to go wrong.
    pub faults: Vec<Chance>,
    /// Decides when.
    pub seed: u64,
}

impl Config {
    /// The defaults, for the project that `directory` is in: the nearest one upwards with a `template.yaml`.
    pub fn of_project(directory: &Path) -> Result<Self> {
        let root = directory.ancestors().find(|directory| directory.join("template.yaml").is_file());
        let root =
            root.with_context(|| format!("there is no template.yaml in {} or above", directory.display()))?;
        Ok(Self {
            template: root.join("template.yaml"),
            port: 3001,
            data: root.join(".local"),
            fresh: false,
            profile: Profile::Dev,
            parameters: BTreeMap::new(),
            video_duration: Duration::from_secs(8),
            vendor: None,
            mongodb_uri: None,
            secrets: BTreeMap::new(),
            expose: false,
            binaries: None,
            faults: Vec::new(),
            seed: 0,
        })
    }
}

/// A running stack.
pub struct Stack {
    address: SocketAddr,
    internal_url: String,
    secrets: Secrets,
    is_exposed: bool,
    lets_in_everybody: bool,
    has_page: bool,
    functions: Functions,
    faults: Faults,
    connections: Connections,
    websocket: Option<Arc<WebSocketGateway>>,
    machines: Machines,
    schedules: Vec<Schedule>,
    public: Server,
    internal: Server,
    buckets: s3::Handle,
    database: Option<Database>,
    _spawner: Spawner,
}

/// What stands on the public port.
#[derive(Clone)]
struct FrontDoor {
    http: Option<Arc<HttpGateway>>,
    websocket: Option<Arc<WebSocketGateway>>,
    page: Page,
}

impl Stack {
    /// Starts everything that the template says. When this returns, the first request can be served.
    pub async fn start(config: Config) -> Result<Self> {
        // What can be wrong is found before anything slow is begun.
        let blueprint = Blueprint::read(&config.template)?;
        check_secrets(&config)?;
        blueprint.check(&config.parameters)?;
        if config.expose {
            ensure!(
                (1..=u16::MAX - EXPOSED_DATABASE).contains(&config.port),
                "--expose needs a fixed --port"
            );
        }
        let public = Listener::bind(config.port).await?;
        let internal = Listener::bind_inside(config.expose.then(|| config.port + EXPOSED_SERVICES)).await?;
        let mut texts = parameters::secret_texts(&config);
        let given = parameters::parameters(&config, &blueprint, &texts, &internal.url());
        let lets_in_everybody = parameters::let_in_everybody(&given);
        let template = blueprint.resolve(&given)?;
        let machines = services::state_machines(&template)?;
        let planned = services::schedules(&template)?;

        let spawner = Spawner::new()?;
        let faults = Faults::new(config.seed, &config.faults);
        let binaries = match &config.binaries {
            Some(binaries) => binaries.clone(),
            None => Binaries::build(&blueprint, config.profile).await?,
        };
        let database = services::open_database(&config, &blueprint).await?;
        if let Some(database) = &database {
            texts.insert(MONGODB_URI.to_owned(), database.uri().to_owned());
        }
        let secrets = Secrets::new(texts);
        let vendor = Vendor::open(&config.data, &public.url(), config.video_duration, &faults)?;
        let (s3_url, buckets) = services::serve_buckets(&config, &template.buckets, &faults).await?;
        let page = Page::new(blueprint.root(), public.address().port(), &s3_url)?;
        let has_page = page.is_there();

        let stage = template.websocket_api.as_ref().map_or("", |api| api.stage.as_str());
        let endpoints = Endpoints {
            s3: s3_url,
            states: internal.url(),
            secrets: internal.url(),
            management: format!("{}/{stage}", internal.url()),
        };
        let functions = Functions::new(
            &template.functions,
            &binaries,
            internal.address(),
            &endpoints,
            &spawner,
            &faults,
        )?;
        let machines = services::run_machines(machines, &config.data, functions.clone(), &faults)?;

        let connections = Connections::default();
        let http =
            template.http_api.as_ref().map(|api| HttpGateway::new(api, functions.clone())).transpose()?;
        let websocket = template.websocket_api.as_ref();
        let websocket = websocket
            .map(|api| WebSocketGateway::new(api, functions.clone(), connections.clone(), &faults))
            .transpose()?;

        let inside = functions
            .router()
            .merge(machines.router())
            .merge(management::router(stage, connections.clone(), faults.clone()))
            .merge(simulation::router(&vendor))
            .nest(CHAT, chat::router());
        let inside = secrets.before(inside);
        let door = FrontDoor { http, websocket: websocket.clone(), page };
        let outside = Router::new()
            .fallback(enter)
            .with_state(door)
            .merge(vendor.videos())
            .merge(reference::router(blueprint.root()));
        let (address, internal_url) = (public.address(), internal.url());
        let (internal, public) = (internal.serve(inside), public.serve(outside));
        let schedules =
            planned.into_iter().map(|planned| services::run_schedule(planned, functions.clone())).collect();
        Ok(Self {
            address,
            internal_url,
            secrets,
            is_exposed: config.expose,
            lets_in_everybody,
            has_page,
            functions,
            faults,
            connections,
            websocket,
            machines,
            schedules,
            public,
            internal,
            buckets,
            database,
            _spawner: spawner,
        })
    }

    /// Where REST is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the WebSocket is: `ws://127.0.0.1:PORT`.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where a browser finds the page, if the project has one: `http://localhost:PORT/`.
    pub fn page_url(&self) -> Option<String> {
        self.has_page.then(|| format!("http://localhost:{}/", self.address.port()))
    }

    /// Where the services for functions are: the Runtime API, the Invoke API, the management API.
    pub fn internal_url(&self) -> &str {
        &self.internal_url
    }

    /// The secrets, to rotate one.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Whether what functions use can be reached from other machines.
    pub fn is_exposed(&self) -> bool {
        self.is_exposed
    }

    /// Whether nobody is asked for a token.
    pub fn lets_in_everybody(&self) -> bool {
        self.lets_in_everybody
    }

    /// The functions, to call one without a gateway.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// What goes wrong, to be switched on and off.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How many WebSocket connections there are.
    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Stops everything, and leaves no process behind.
    pub async fn stop(self) {
        let disconnect = async {
            if let Some(websocket) = &self.websocket {
                // Longer than this nobody waits for a hanging `$disconnect`, which is best effort in the cloud too.
                let _ = timeout(DISCONNECT_LIMIT, websocket.stop()).await;
            }
        };
        drop(self.schedules);
        self.machines.shutdown();
        tokio::join!(disconnect, self.public.stop());
        self.functions.stop().await;
        let database = async {
            if let Some(database) = self.database {
                database.stop().await;
            }
        };
        tokio::join!(self.internal.stop(), self.buckets.stop(), database);
    }
}

/// Secrets come from the environment, where no history of commands has them.
fn check_secrets(config: &Config) -> Result<()> {
    for (variable, name) in secrets::NAMES {
        ensure!(
            !config.parameters.contains_key(name),
            "{name} names a secret in the cloud: here its text comes from the environment variable {variable}"
        );
    }
    let texts = config.secrets.get(AUTH_SECRET).into_iter().flat_map(|text| text.lines());
    ensure!(
        texts.into_iter().all(|secret| secret.trim().len() >= MIN_AUTH_SECRET_BYTES),
        "{AUTH_SECRET} must have at least {MIN_AUTH_SECRET_BYTES} characters, and so must each line of it where there are several"
    );
    Ok(())
}

async fn enter(
    State(door): State<FrontDoor>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    if let Some(websocket) = &door.websocket
        && WebSocketGateway::is_upgrade(request.headers())
    {
        return websocket.serve(request, peer.ip()).await;
    }
    let (parts, body) = request.into_parts();
    // What the template has a route for is the function's, even if a file is called like it.
    let is_api = door.http.as_ref().is_some_and(|http| http.has_route(&parts.method, parts.uri.path()));
    if !is_api && let Some(file) = door.page.answer(&parts).await {
        return file;
    }
    match &door.http {
        Some(http) => http.serve(Request::from_parts(parts, body), peer.ip()).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
