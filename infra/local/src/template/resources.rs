//! What the rest of the crate works with: the template's resources, checked and with real names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::resolve::{self, Scope};
use super::{Blueprint, properties};

/// Everything that the local stack has to run.
#[derive(Debug)]
pub struct Template {
    /// All functions.
    pub functions: Vec<Function>,
    /// The HTTP API: at most one, since there is one port.
    pub http_api: Option<HttpApi>,
    /// The WebSocket API: at most one, for the same reason.
    pub websocket_api: Option<WebSocketApi>,
    /// All buckets.
    pub buckets: Vec<Bucket>,
    /// All state machines.
    pub state_machines: Vec<StateMachine>,
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its logical id, which is its name here too.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Name of its binary.
    pub binary: String,
    /// Directory of its crate.
    pub directory: PathBuf,
    /// `Handler`.
    pub handler: String,
    /// After this long it is killed.
    pub timeout: Duration,
    /// `MemorySize`.
    pub memory_mb: u32,
    /// `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<usize>,
    /// Its own environment variables.
    pub environment: BTreeMap<String, String>,
    /// `LoggingConfig.LogFormat`, `Text` by default.
    pub log_format: String,
    /// `LoggingConfig.ApplicationLogLevel`.
    pub log_level: Option<String>,
    /// When it is called without being asked.
    pub schedules: Vec<Schedule>,
}

/// A schedule of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Such as `rate(1 minute)`.
    pub expression: String,
    /// The event as JSON, if the template gives one.
    pub input: Option<String>,
}

/// The HTTP API.
#[derive(Debug, Clone)]
pub struct HttpApi {
    /// Its id.
    pub id: String,
    /// Its CORS configuration.
    pub cors: Option<Cors>,
    /// Its routes.
    pub routes: Vec<HttpRoute>,
}

/// `METHOD /path/{parameter}` → function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRoute {
    /// In upper case; `ANY` is any.
    pub method: String,
    /// With `{name}` and `{name+}`.
    pub path: String,
    /// Logical id of the function.
    pub function: String,
}

/// `CorsConfiguration` of an HTTP API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, `*`, `https://*` or `http://*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Headers that a request may carry.
    pub allow_headers: Vec<String>,
    /// Headers that a page may read.
    pub expose_headers: Vec<String>,
    /// Whether cookies may be sent along.
    pub allow_credentials: bool,
    /// Seconds for which a browser may remember the answer.
    pub max_age: Option<u64>,
}

/// The WebSocket API.
#[derive(Debug, Clone)]
pub struct WebSocketApi {
    /// Its logical id.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Name of its stage.
    pub stage: String,
    /// Where in a message the route's key stands.
    pub route_selection_expression: String,
    /// Routes by key.
    pub routes: BTreeMap<String, WebSocketRoute>,
}

/// A route of the WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketRoute {
    /// Logical id of the function.
    pub function: String,
    /// Whether the function's answer is sent back on the socket.
    pub two_way: bool,
}

/// An S3 bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its CORS rules; the first that matches counts.
    pub cors_rules: Vec<CorsRule>,
}

/// One CORS rule of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsRule {
    /// Methods.
    pub allowed_methods: Vec<String>,
    /// Origins, each with at most one `*`.
    pub allowed_origins: Vec<String>,
    /// Headers that a request may carry, each with at most one `*`.
    pub allowed_headers: Vec<String>,
    /// Headers that a page may read.
    pub exposed_headers: Vec<String>,
    /// Seconds for which a browser may remember the answer.
    pub max_age: Option<u32>,
}

/// A state machine.
#[derive(Debug, Clone)]
pub struct StateMachine {
    /// Its logical id, which is its name here too.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The file that defines it.
    pub definition: PathBuf,
    /// What `${Name}` in the definition stands for.
    pub substitutions: BTreeMap<String, String>,
}

impl Template {
    pub(super) fn build(blueprint: &Blueprint, scope: &Scope) -> Result<Self> {
        let mut template = Self {
            functions: Vec::new(),
            http_api: None,
            websocket_api: None,
            buckets: Vec::new(),
            state_machines: Vec::new(),
        };
        let mut http_routes = Vec::new();
        let mut route_responses = BTreeSet::new();
        for (name, resource) in &blueprint.resources {
            if !resource.condition.as_deref().map_or(Ok(true), |condition| scope.holds(condition))? {
                continue;
            }
            let mut add = || -> Result<()> {
                match resource.kind.as_str() {
                    properties::FUNCTION => {
                        let package = resource.package(&blueprint.root)?;
                        let merged = merge(blueprint.globals.clone(), resource.properties.clone());
                        template.functions.push(function(
                            name,
                            package,
                            read(scope, &merged)?,
                            &mut http_routes,
                        )?);
                    }
                    properties::HTTP_API => {
                        ensure!(template.http_api.is_none(), "the local stack serves one HTTP API only");
                        template.http_api = Some(http_api(name, read(scope, &resource.properties)?));
                    }
                    properties::WEBSOCKET_API => {
                        ensure!(
                            template.websocket_api.is_none(),
                            "the local stack serves one WebSocket API only"
                        );
                        template.websocket_api =
                            Some(websocket_api(name, read(scope, &resource.properties)?));
                    }
                    properties::ROUTE_RESPONSE => {
                        let response: properties::RouteResponse = read(scope, &resource.properties)?;
                        ensure!(
                            response.route_response_key == "$default",
                            "RouteResponseKey must be $default"
                        );
                        route_responses.insert(response.route_id);
                    }
                    properties::BUCKET => {
                        template.buckets.push(bucket(name, read(scope, &resource.properties)?))
                    }
                    properties::STATE_MACHINE => {
                        template.state_machines.push(state_machine(
                            name,
                            blueprint,
                            read(scope, &resource.properties)?,
                        )?);
                    }
                    _ => {}
                }
                Ok(())
            };
            add().with_context(|| format!("{name} ({})", resource.kind))?;
        }
        template.connect(http_routes, &route_responses)?;
        Ok(template)
    }

    /// Ties together what refers to each other.
    fn connect(
        &mut self,
        http_routes: Vec<(String, HttpRoute)>,
        route_responses: &BTreeSet<String>,
    ) -> Result<()> {
        for (api, route) in http_routes {
            match &mut self.http_api {
                Some(http_api) if http_api.id == api => http_api.routes.push(route),
                _ => bail!("{} has an event of the HTTP API {api}, which does not exist", route.function),
            }
        }
        let Some(api) = &mut self.websocket_api else { return Ok(()) };
        for (key, route) in &mut api.routes {
            // API Gateway sends an answer back only where the route selects responses *and* has one.
            route.two_way &= route_responses.contains(&properties::generated_route(&api.name, key));
            let function = self.functions.iter().find(|function| function.arn == route.function);
            let function = function
                .with_context(|| format!("the route {key} calls {}, which does not exist", route.function))?;
            route.function = function.name.clone();
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(scope: &Scope, properties: &Map<String, Value>) -> Result<T> {
    Ok(serde_json::from_value(scope.resolve(&Value::Object(properties.clone()))?)?)
}

/// SAM's rule for `Globals`: maps are merged, lists are joined, and of scalars the resource's own wins.
/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>
fn merge(mut globals: Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in own {
        let merged = match (globals.remove(&key), value) {
            (Some(Value::Object(global)), Value::Object(own))
                if !is_intrinsic(&global) && !is_intrinsic(&own) =>
            {
                Value::Object(merge(global, own))
            }
            (Some(Value::Array(mut global)), Value::Array(own)) => {
                global.extend(own);
                Value::Array(global)
            }
            (_, own) => own,
        };
        globals.insert(key, merged);
    }
    globals
}

fn is_intrinsic(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

fn function(
    name: &str,
    package: super::Package,
    function: properties::Function,
    http_routes: &mut Vec<(String, HttpRoute)>,
) -> Result<Function> {
    ensure!(function.runtime.starts_with("provided."), "the runtime {} does not run here", function.runtime);
    let mut schedules = Vec::new();
    for (event, source) in function.events {
        match source {
            properties::Event::HttpApi(source) => {
                let version = source.payload_format_version.as_deref().unwrap_or("2.0");
                ensure!(
                    version == "2.0",
                    "{event} wants payload format {version}, the local stack speaks 2.0"
                );
                let route = HttpRoute {
                    method: source.method.to_ascii_uppercase(),
                    path: source.path,
                    function: name.to_owned(),
                };
                http_routes.push((source.api_id, route));
            }
            properties::Event::ScheduleV2(source) => {
                schedules.push(Schedule { expression: source.schedule_expression, input: source.input });
            }
            properties::Event::Schedule(source) => {
                schedules.push(Schedule { expression: source.schedule, input: source.input });
            }
        }
    }
    Ok(Function {
        name: name.to_owned(),
        arn: resolve::function_arn(name),
        binary: package.binary,
        directory: package.directory,
        handler: function.handler,
        // Lambda's own defaults: 3 s and 128 MB.
        timeout: Duration::from_secs(function.timeout.unwrap_or(3)),
        memory_mb: function.memory_size.unwrap_or(128),
        reserved_concurrency: function.reserved_concurrent_executions,
        environment: function
            .environment
            .variables
            .into_iter()
            .map(|(name, value)| (name, value.0))
            .collect(),
        log_format: function.logging_config.log_format.unwrap_or_else(|| "Text".to_owned()),
        log_level: function.logging_config.application_log_level,
        schedules,
    })
}

fn http_api(name: &str, api: properties::HttpApi) -> HttpApi {
    let cors = api.cors_configuration.map(|cors| Cors {
        allow_origins: cors.allow_origins,
        allow_methods: cors.allow_methods,
        allow_headers: cors.allow_headers,
        expose_headers: cors.expose_headers,
        allow_credentials: cors.allow_credentials,
        max_age: cors.max_age,
    });
    HttpApi { id: resolve::api_id(name), cors, routes: Vec::new() }
}

fn websocket_api(name: &str, api: properties::WebSocketApi) -> WebSocketApi {
    let routes = api.routes.into_iter().map(|(key, route)| {
        let two_way = route.route_response_selection_expression.is_some();
        (key, WebSocketRoute { function: route.function_arn, two_way })
    });
    WebSocketApi {
        name: name.to_owned(),
        id: resolve::api_id(name),
        stage: api.stage_name,
        route_selection_expression: api.route_selection_expression,
        routes: routes.collect(),
    }
}

fn bucket(name: &str, bucket: properties::Bucket) -> Bucket {
    let rules = bucket.cors_configuration.cors_rules.into_iter().map(|rule| CorsRule {
        allowed_methods: rule.allowed_methods,
        allowed_origins: rule.allowed_origins,
        allowed_headers: rule.allowed_headers,
        exposed_headers: rule.exposed_headers,
        max_age: rule.max_age,
    });
    Bucket { name: resolve::bucket_name(name), cors_rules: rules.collect() }
}

fn state_machine(
    name: &str,
    blueprint: &Blueprint,
    machine: properties::StateMachine,
) -> Result<StateMachine> {
    let kind = machine.kind.as_deref().unwrap_or("STANDARD");
    ensure!(kind == "STANDARD", "the local stack runs STANDARD state machines, not {kind}");
    let definition = blueprint.root.join(&machine.definition_uri);
    ensure!(definition.is_file(), "DefinitionUri {} does not exist", machine.definition_uri);
    let substitutions =
        machine.definition_substitutions.into_iter().map(|(name, value)| (name, value.0)).collect();
    Ok(StateMachine {
        name: name.to_owned(),
        arn: resolve::state_machine_arn(name),
        definition,
        substitutions,
    })
}
