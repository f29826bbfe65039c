//! What a function finds in its environment: nothing of the developer's shell, so that what runs here runs there.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>

use crate::template::{Function, REGION};

/// The key with which functions sign here; whoever plays an AWS service checks against it.
pub const ACCESS_KEY_ID: &str = "local";
/// The secret that belongs to [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "local-secret";

/// Where the AWS services of this machine are.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// S3.
    pub s3: String,
    /// Step Functions.
    pub states: String,
    /// Secrets Manager.
    pub secrets: String,
    /// The management API of the WebSocket API, with its stage.
    pub management: String,
}

/// All variables but `AWS_LAMBDA_RUNTIME_API` and the log stream, which each process has for itself.
pub(super) fn of(function: &Function, endpoints: &Endpoints) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = function.environment.clone().into_iter().collect();
    let own = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", &function.log_format),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", function.name)),
        ("_HANDLER", &function.handler),
        ("LAMBDA_TASK_ROOT", &function.directory.to_string_lossy()),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        // The SDKs read these. https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        ("AWS_ENDPOINT_URL_S3", &endpoints.s3),
        ("AWS_ENDPOINT_URL_SFN", &endpoints.states),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &endpoints.secrets),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &endpoints.management),
    ];
    // They come after the template's: of two the last is taken.
    variables.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if let Some(level) = &function.log_level {
        variables.push(("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.clone()));
    }
    variables
}
