use super::*;

/// The project's own template.
fn blueprint() -> Blueprint {
    Blueprint::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml")).unwrap()
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const MONGO: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mongo-AbCdEf";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:auth-AbCdEf";

#[test]
fn a_bound_on_concurrency_is_there_only_if_it_is_given() {
    let given_with = |more: &[(&str, &str)]| {
        let all = [&[("MongoUriArn", MONGO), ("Authentication", "off")], more].concat();
        blueprint().resolve(&given(&all)).unwrap().functions
    };
    assert!(given_with(&[]).iter().all(|function| function.reserved_concurrency.is_none()));
    let bound = given_with(&[("ReservedConcurrency", "7")]);
    let unbound = bound.iter().filter(|function| function.reserved_concurrency != Some(7));
    let unbound: Vec<_> = unbound.map(|function| function.name.as_str()).collect();
    // Those that have nothing to do with the database.
    assert_eq!(unbound, ["GetUploadFunction", "GetVideoFunction"]);
}

#[test]
fn the_projects_template_resolves() {
    let template = blueprint()
        .resolve(&given(&[
            ("MongoUriArn", MONGO),
            ("Stage", "test"),
            ("Authentication", "off"),
            ("AllowedOrigins", "https://a.example, https://b.example"),
        ]))
        .unwrap();
    let api = template.websocket_api.as_ref().unwrap();
    assert_eq!(api.stage, "test");
    assert!(api.routes["$default"].two_way);
    assert!(!api.routes["$connect"].two_way);
    let function = |name: &str| template.functions.iter().find(|function| function.name == name).unwrap();
    let generate = function("GenerateVideoFunction");
    assert_eq!(
        generate.environment["WEBSOCKET_API_URL"],
        "https://websocketapi.execute-api.us-east-1.amazonaws.com/test"
    );
    assert_eq!(
        generate.environment["STATE_MACHINE_ARN"],
        "arn:aws:states:us-east-1:123456789012:stateMachine:VideoPollingStateMachine"
    );
    assert_eq!(generate.environment["POLL_SECONDS"], "5");
    assert_eq!((generate.memory_mb, generate.log_format.as_str()), (512, "JSON"));
    assert_eq!(function("SweepStaleFunction").timeout.as_secs(), 55);
    assert_eq!(function("SweepStaleFunction").schedules[0].expression, "rate(1 minute)");
    let http = template.http_api.as_ref().unwrap();
    assert!(http.routes.iter().any(|route| route.method == "GET" && route.path == "/api/uploads/{filename}"));
    assert_eq!(http.cors.as_ref().unwrap().allow_origins, ["https://a.example", "https://b.example"]);
    let connect = function("WsConnectFunction");
    assert_eq!(connect.environment["ALLOWED_ORIGINS"], "https://a.example,https://b.example");
    assert_eq!(template.buckets[0].name, generate.environment["IMAGES_BUCKET"]);
    assert!(template.state_machines[0].substitutions["PollVideoFunctionArn"].ends_with("PollVideoFunction"));
}

#[test]
fn a_parameter_without_a_value_is_named() {
    let error = blueprint().resolve(&given(&[("Authentication", "off")])).unwrap_err().to_string();
    assert_eq!(error, "the parameter MongoUriArn has no value: give it with --parameter MongoUriArn=…");
}

#[test]
fn nobody_is_let_in_without_a_word_and_nothing_half_configured_is_started() {
    let error = |pairs: &[(&str, &str)]| {
        let all = [pairs, &[("MongoUriArn", MONGO)]].concat();
        blueprint().resolve(&given(&all)).unwrap_err().to_string()
    };
    assert!(error(&[]).contains("Authentication has no value"));
    assert!(error(&[("Authentication", "on")]).contains("Authentication"));
    let openid = ("Authentication", "openid");
    assert!(error(&[openid, ("AuthSecretArn", SECRET)]).contains("TokenIssuer"));
    let issuer = ("TokenIssuer", "https://issuer.example");
    assert!(error(&[openid, issuer, ("AuthSecretArn", SECRET)]).contains("TokenAudience"));
    assert!(error(&[openid, issuer, ("TokenAudience", "board")]).contains("AuthSecret"));
    assert!(error(&[("Authentication", "secret")]).contains("AuthSecret"));
    assert!(
        error(&[("Authentication", "secret"), ("AuthSecretArn", "a secret itself, 32 characters long")])
            .contains("AuthSecret")
    );
}

#[test]
fn what_is_given_comes_before_the_default() {
    assert_eq!(blueprint().value("ChatUrl", &BTreeMap::new()).as_deref(), Some(""));
    assert_eq!(blueprint().value("ChatUrl", &given(&[("ChatUrl", "http://x")])).as_deref(), Some("http://x"));
    assert_eq!(blueprint().value("MongoUriArn", &BTreeMap::new()), None);
}

fn refusal(text: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let error = Blueprint::parse(root, "template.yaml", text)
        .and_then(|blueprint| blueprint.resolve(&BTreeMap::new()));
    format!("{:#}", error.unwrap_err())
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    assert!(refusal("Resources: {T: {Type: AWS::DynamoDB::Table}}").contains("AWS::DynamoDB::Table"));
    assert!(refusal("Mappings: {}\nResources: {}").contains("Mappings"));
    assert!(refusal("Globals: {Api: {}}\nResources: {}").contains("Globals.Api"));
    let function = |more: &str| {
        refusal(&format!(
            "Resources: {{F: {{Type: AWS::Serverless::Function, Metadata: {{BuildProperties: {{Binary: ws-message}}}}, \
             Properties: {{CodeUri: functions/ws-message, Runtime: provided.al2023, {more}}}}}}}"
        ))
    };
    assert!(function("Layers: []").contains("Layers"));
    assert!(function("Events: {Q: {Type: SQS, Properties: {}}}").contains("SQS"));
    assert!(function("Timeout: soon").contains("soon"));
    assert!(function("Environment: {Variables: {A: !Ref Nope}}").contains("Nope"));
}

#[test]
fn globals_are_merged_as_sam_does() {
    let text = "
Globals: {Function: {Runtime: provided.al2023, Timeout: 7, Environment: {Variables: {A: 1, B: 2}}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: ws-message}}
    Properties: {CodeUri: functions/ws-message, Timeout: '9', Environment: {Variables: {B: true}}}";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let template = Blueprint::parse(root, "template.yaml", text).unwrap().resolve(&BTreeMap::new()).unwrap();
    let function = &template.functions[0];
    assert_eq!(function.timeout.as_secs(), 9);
    assert_eq!(function.environment, given(&[("A", "1"), ("B", "true")]));
}
