//! The variables that the template gives a function are those that it reads: with all of them it starts, and without any of them
//! it says which one is missing.

use std::{collections::BTreeMap, process::Stdio, sync::Arc};

use axum::{Router, extract::State};
use futures_util::{StreamExt, stream};
use local::{
    lambda::{ACCESS_KEY_ID, Binaries, Profile, SECRET_ACCESS_KEY},
    secrets::{AUTH_SECRET, NAMES, arn},
    template::{Blueprint, Function},
};
use tokio::{io::AsyncReadExt, net::TcpListener, process::Command, sync::Notify, time::timeout};

use crate::{
    board::{Board, project},
    member::SECRET,
    socket::PATIENCE,
};

/// What a function can do without, and why.
const OPTIONAL: [&str; 3] = [
    // Says of metrics whose they are; what cannot start cannot say anything either way.
    "STACK_NAME",
    // Empty in the cloud, where the SDK knows the addresses.
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
];

/// The functions of a template whose `Authentication` is `mode`.
fn functions(blueprint: &Blueprint, mode: &str) -> BTreeMap<String, Function> {
    let mut given: BTreeMap<String, String> =
        NAMES.map(|(variable, parameter)| (parameter.to_owned(), arn(variable))).into();
    let own =
        [("Authentication", mode), ("TokenIssuer", "https://issuer.example"), ("TokenAudience", "board")];
    given.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let template = blueprint.resolve(&given).unwrap();
    template.functions.into_iter().map(|function| (function.binary.clone(), function)).collect()
}

/// A Runtime API of one process: that it was asked for an event says that the function has started.
struct Runtime {
    asked: Arc<Notify>,
    address: String,
}

impl Runtime {
    async fn start() -> Self {
        async fn next(State(asked): State<Arc<Notify>>) {
            asked.notify_one();
            std::future::pending::<()>().await;
        }
        let asked = Arc::new(Notify::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(next).with_state(Arc::clone(&asked));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { asked, address }
    }
}

/// Starts the function with these variables of its own: `Err` with what it says if it ends before it asks for an event.
async fn start(
    binaries: &Binaries,
    internal_url: &str,
    function: &Function,
    variables: &BTreeMap<String, String>,
) -> Result<(), String> {
    let runtime = Runtime::start().await;
    let mut command = Command::new(binaries.get(&function.binary).unwrap());
    let aws = [
        ("AWS_LAMBDA_RUNTIME_API", runtime.address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", internal_url),
    ];
    command.env_clear().envs(variables).envs(aws);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut output = process.stdout.take().unwrap();
    let ended = async {
        let mut said = String::new();
        output.read_to_string(&mut said).await.unwrap();
        said
    };
    let outcome = async {
        tokio::select! {
            () = runtime.asked.notified() => Ok(()),
            said = ended => Err(said),
        }
    };
    timeout(PATIENCE, outcome).await.unwrap_or_else(|_| panic!("{} neither starts nor ends", function.binary))
}

#[tokio::test]
async fn a_function_reads_what_the_template_gives_it_and_nothing_else() {
    let board = Board::start_with(|config| {
        for (name, _) in NAMES {
            config.secrets.insert(name.to_owned(), "mongodb://127.0.0.1:1/".to_owned());
        }
        config.secrets.insert(AUTH_SECRET.to_owned(), SECRET.to_owned());
    })
    .await;
    let blueprint = Blueprint::read(&project().join("template.yaml")).unwrap();
    let binaries = Binaries::build(&blueprint, Profile::Dev).await.unwrap();
    let modes = ["openid", "secret", "off"].map(|mode| functions(&blueprint, mode));
    let url = board.internal_url();
    let cases = modes[0].keys().flat_map(|binary| {
        let variables = modes[0][binary].environment.keys().map(Some);
        variables.chain([None]).map(move |without| (binary, without))
    });
    let cases: Vec<_> = cases.collect();
    stream::iter(cases)
        .for_each_concurrent(4, |(binary, without)| {
            let (modes, binaries) = (&modes, &binaries);
            async move {
                let mut said = Vec::new();
                for functions in modes {
                    let function = &functions[binary];
                    let mut variables = function.environment.clone();
                    if let Some(without) = without {
                        variables.remove(without);
                    }
                    said.extend(start(binaries, url, function, &variables).await.err());
                }
                match without {
                    // In every mode.
                    None => assert!(said.is_empty(), "{binary} does not start: {said:?}"),
                    Some(name) if OPTIONAL.contains(&name.as_str()) => {
                        assert!(said.is_empty(), "{binary}: {said:?}")
                    }
                    // In one mode at least.
                    Some(name) => assert!(
                        said.iter()
                            .any(|said| said.contains(&format!("environment variable {name} is not set"))),
                        "{binary} is given {name} and does not read it: {said:?}"
                    ),
                }
            }
        })
        .await;
    board.stop_without_database().await;
}
