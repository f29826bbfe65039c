//! The template's text as types. `deny_unknown_fields` is the rule of the house: a property that isn't listed here is
//! refused by name. Listed as [`IgnoredAny`] is what changes nothing about the answers of the system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::parameters::Parameter;
use super::rules::Rule;
use super::{Package, scalar};

pub const FUNCTION: &str = "AWS::Serverless::Function";
pub const HTTP_API: &str = "AWS::Serverless::HttpApi";
pub const WEBSOCKET_API: &str = "AWS::Serverless::WebSocketApi";
pub const ROUTE_RESPONSE: &str = "AWS::ApiGatewayV2::RouteResponse";
pub const STATE_MACHINE: &str = "AWS::Serverless::StateMachine";
pub const BUCKET: &str = "AWS::S3::Bucket";
/// Never written in the template: the type of the routes that SAM makes of a WebSocket API.
pub const ROUTE: &str = "AWS::ApiGatewayV2::Route";

/// What exists in the cloud only: it watches, permits or records, and changes no answer.
const CLOUD_ONLY: [&str; 8] = [
    "AWS::ApiGateway::Account",
    "AWS::CloudWatch::",
    "AWS::IAM::",
    "AWS::Lambda::Permission",
    "AWS::Logs::",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::",
    "AWS::Budgets::",
];

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Sections {
    #[serde(rename = "AWSTemplateFormatVersion")]
    _version: Option<IgnoredAny>,
    #[serde(rename = "Transform")]
    _transform: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "Metadata")]
    _metadata: Option<IgnoredAny>,
    #[serde(rename = "Outputs")]
    _outputs: Option<IgnoredAny>,
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    pub rules: BTreeMap<String, Rule>,
    #[serde(default)]
    pub conditions: BTreeMap<String, Value>,
    #[serde(default)]
    pub globals: Map<String, Value>,
    pub resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Resource {
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(default)]
    pub properties: Map<String, Value>,
    #[serde(default)]
    metadata: Metadata,
    /// Name of the condition under which there is such a resource.
    pub condition: Option<String>,
    #[serde(rename = "DependsOn")]
    _depends_on: Option<IgnoredAny>,
    #[serde(rename = "DeletionPolicy")]
    _deletion_policy: Option<IgnoredAny>,
    #[serde(rename = "UpdateReplacePolicy")]
    _update_replace_policy: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(default)]
    build_properties: BuildProperties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BuildProperties {
    binary: Option<String>,
}

impl Resource {
    pub fn is_known(&self) -> bool {
        matches!(
            self.kind.as_str(),
            FUNCTION | HTTP_API | WEBSOCKET_API | ROUTE_RESPONSE | STATE_MACHINE | BUCKET
        ) || self.is_cloud_only()
    }

    fn is_cloud_only(&self) -> bool {
        CLOUD_ONLY
            .iter()
            .any(|kind| self.kind == *kind || kind.ends_with("::") && self.kind.starts_with(kind))
    }

    /// The binary of a function and its crate. They are literals in the template, so that a build needs no parameters.
    pub fn package(&self, root: &Path) -> Result<Package> {
        let Some(binary) = self.metadata.build_properties.binary.clone() else {
            bail!("Metadata.BuildProperties.Binary is missing: only binaries that cargo builds run here");
        };
        let code = self
            .properties
            .get("CodeUri")
            .and_then(Value::as_str)
            .context("CodeUri must be a directory's path")?;
        let directory = root.join(code);
        if !directory.join("Cargo.toml").is_file() {
            bail!("CodeUri {code} holds no Cargo.toml");
        }
        Ok(Package { binary, directory: directory.canonicalize()? })
    }
}

/// SAM names the routes of a WebSocket API `<API><Key>Route`, with the key's first letter in upper case and without its `$`.
pub fn generated_route(api: &str, route_key: &str) -> String {
    let mut key = route_key.trim_start_matches('$').chars();
    let key: String = key.next().into_iter().flat_map(char::to_uppercase).chain(key).collect();
    format!("{api}{key}Route")
}

/// The logical ids of all routes that SAM will make.
pub fn generated_routes(resources: &BTreeMap<String, Resource>) -> BTreeSet<String> {
    let apis = resources.iter().filter(|(_, resource)| resource.kind == WEBSOCKET_API);
    apis.flat_map(|(api, resource)| {
        let routes = resource.properties.get("Routes").and_then(Value::as_object);
        routes.into_iter().flat_map(|routes| routes.keys()).map(|key| generated_route(api, key))
    })
    .collect()
}

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Function {
    #[serde(rename = "CodeUri")]
    _code_uri: IgnoredAny,
    pub runtime: String,
    #[serde(default = "default_handler")]
    pub handler: String,
    #[serde(default, with = "scalar::option")]
    pub memory_size: Option<u32>,
    #[serde(default, with = "scalar::option")]
    pub timeout: Option<u64>,
    #[serde(default, with = "scalar::option")]
    pub reserved_concurrent_executions: Option<usize>,
    #[serde(default)]
    pub environment: Environment,
    #[serde(default)]
    pub events: BTreeMap<String, Event>,
    #[serde(default)]
    pub logging_config: LoggingConfig,
    #[serde(rename = "Architectures")]
    _architectures: Option<IgnoredAny>,
    #[serde(rename = "Policies")]
    _policies: Option<IgnoredAny>,
    #[serde(rename = "Role")]
    _role: Option<IgnoredAny>,
    #[serde(rename = "Tracing")]
    _tracing: Option<IgnoredAny>,
    /// Nothing here calls a function asynchronously again.
    #[serde(rename = "EventInvokeConfig")]
    _event_invoke_config: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
}

fn default_handler() -> String {
    "bootstrap".to_owned()
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Environment {
    #[serde(default)]
    pub variables: BTreeMap<String, scalar::Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LoggingConfig {
    pub log_format: Option<String>,
    pub application_log_level: Option<String>,
    #[serde(rename = "SystemLogLevel")]
    _system_log_level: Option<IgnoredAny>,
    #[serde(rename = "LogGroup")]
    _log_group: Option<IgnoredAny>,
}

/// An event source; all that the local stack knows.
#[derive(Debug, Deserialize)]
#[serde(tag = "Type", content = "Properties")]
pub enum Event {
    HttpApi(HttpApiEvent),
    Schedule(ScheduleV1Event),
    ScheduleV2(ScheduleEvent),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct HttpApiEvent {
    pub api_id: String,
    pub method: String,
    pub path: String,
    pub payload_format_version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScheduleEvent {
    pub schedule_expression: String,
    pub input: Option<String>,
    #[serde(rename = "Name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "OmitName")]
    _omit_name: Option<IgnoredAny>,
    #[serde(rename = "RetryPolicy")]
    _retry_policy: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScheduleV1Event {
    pub schedule: String,
    pub input: Option<String>,
    #[serde(rename = "Name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "RetryPolicy")]
    _retry_policy: Option<IgnoredAny>,
}

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-httpapi.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct HttpApi {
    pub cors_configuration: Option<Cors>,
    #[serde(rename = "AccessLogSettings")]
    _access_log_settings: Option<IgnoredAny>,
    #[serde(rename = "DefaultRouteSettings")]
    _default_route_settings: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "FailOnWarnings")]
    _fail_on_warnings: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Cors {
    #[serde(default)]
    pub allow_origins: Vec<String>,
    #[serde(default)]
    pub allow_methods: Vec<String>,
    #[serde(default)]
    pub allow_headers: Vec<String>,
    #[serde(default)]
    pub expose_headers: Vec<String>,
    #[serde(default)]
    pub allow_credentials: bool,
    #[serde(default, with = "scalar::option")]
    pub max_age: Option<u64>,
}

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-websocketapi.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebSocketApi {
    pub stage_name: String,
    pub route_selection_expression: String,
    pub routes: BTreeMap<String, WebSocketRoute>,
    #[serde(rename = "Name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "AccessLogSettings")]
    _access_log_settings: Option<IgnoredAny>,
    #[serde(rename = "DefaultRouteSettings")]
    _default_route_settings: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebSocketRoute {
    pub function_arn: String,
    pub route_response_selection_expression: Option<String>,
    #[serde(rename = "OperationName")]
    _operation_name: Option<IgnoredAny>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-routeresponse.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RouteResponse {
    #[serde(rename = "ApiId")]
    _api_id: IgnoredAny,
    pub route_id: String,
    pub route_response_key: String,
}

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StateMachine {
    pub definition_uri: String,
    #[serde(default)]
    pub definition_substitutions: BTreeMap<String, scalar::Text>,
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    #[serde(rename = "Policies")]
    _policies: Option<IgnoredAny>,
    #[serde(rename = "Role")]
    _role: Option<IgnoredAny>,
    #[serde(rename = "Logging")]
    _logging: Option<IgnoredAny>,
    #[serde(rename = "Tracing")]
    _tracing: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Bucket {
    #[serde(default)]
    pub cors_configuration: BucketCors,
    #[serde(rename = "PublicAccessBlockConfiguration")]
    _public_access_block_configuration: Option<IgnoredAny>,
    #[serde(rename = "BucketEncryption")]
    _bucket_encryption: Option<IgnoredAny>,
    #[serde(rename = "OwnershipControls")]
    _ownership_controls: Option<IgnoredAny>,
    #[serde(rename = "VersioningConfiguration")]
    _versioning_configuration: Option<IgnoredAny>,
    #[serde(rename = "LifecycleConfiguration")]
    _lifecycle_configuration: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct BucketCors {
    #[serde(default)]
    pub cors_rules: Vec<BucketCorsRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct BucketCorsRule {
    pub allowed_methods: Vec<String>,
    pub allowed_origins: Vec<String>,
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    #[serde(default)]
    pub exposed_headers: Vec<String>,
    #[serde(default, with = "scalar::option")]
    pub max_age: Option<u32>,
    #[serde(rename = "Id")]
    _id: Option<IgnoredAny>,
}
