//! What functions call: the database, S3, Step Functions, the vendors; and what calls functions: state machines and schedules.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use mongodb::Client;
use mongodb::options::{ClientOptions, ServerAddress};
use serde_json::{Value, json};

use crate::faults::Faults;
use crate::lambda::{ACCESS_KEY_ID, Functions, InvokeError, SECRET_ACCESS_KEY};
use crate::mongod::Database;
use crate::schedule::{Rate, Schedule};
use crate::secrets::MONGODB_URI;
use crate::server::Listener;
use crate::stack::{Config, EXPOSED_DATABASE, EXPOSED_S3};
use crate::states::{Machines, StateMachine, TaskError};
use crate::template::{ACCOUNT_ID, Blueprint, Bucket, REGION, Template};
use crate::{mongod, s3, template};

/// Where executions are kept.
const EXECUTIONS: &str = "executions";

/// Begins to serve the template's buckets, with files under `data`.
pub async fn serve_buckets(
    config: &Config,
    buckets: &[Bucket],
    faults: &Faults,
) -> Result<(String, s3::Handle)> {
    let port = config.expose.then(|| config.port + EXPOSED_S3);
    let listener = Listener::bind_inside(port).await?;
    let (url, listener, data) = (listener.url(), listener.into_inner(), &config.data);
    let buckets = buckets.iter().map(|bucket| {
        let cors = bucket.cors_rules.iter().map(cors_rule).collect::<Result<_>>();
        let cors = cors.with_context(|| format!("the CORS rules of {} are broken", bucket.name))?;
        Ok(s3::Bucket { name: bucket.name.clone(), cors })
    });
    let credentials =
        s3::Credentials { access_key: ACCESS_KEY_ID.to_owned(), secret_key: SECRET_ACCESS_KEY.to_owned() };
    let handle =
        s3::serve(listener, &data.join("s3"), buckets.collect::<Result<_>>()?, &credentials, faults)?;
    Ok((url, handle))
}

fn cors_rule(rule: &template::CorsRule) -> Result<s3::cors::CorsRule> {
    let methods = rule.allowed_methods.iter().map(|method| Ok(method.parse()?));
    Ok(s3::cors::CorsRule {
        allowed_methods: methods.collect::<Result<_>>()?,
        allowed_origins: rule.allowed_origins.clone(),
        allowed_headers: rule.allowed_headers.clone(),
        exposed_headers: rule.exposed_headers.clone(),
        max_age: rule.max_age,
    })
}

/// Reads the template's state machines.
pub fn state_machines(template: &Template) -> Result<BTreeMap<String, StateMachine>> {
    let machines = template.state_machines.iter().map(|machine| {
        let file = machine.definition.display();
        let text =
            fs::read_to_string(&machine.definition).with_context(|| format!("{file} cannot be read"))?;
        let parsed = StateMachine::parse(&text, &machine.substitutions)
            .with_context(|| format!("{file} is broken"))?;
        Ok((machine.arn.clone(), parsed))
    });
    machines.collect()
}

/// State machines whose tasks are functions.
pub fn run_machines(
    machines: BTreeMap<String, StateMachine>,
    data: &Path,
    functions: Functions,
    faults: &Faults,
) -> Result<Machines> {
    Machines::open(&data.join(EXECUTIONS), machines, faults, move |function, payload| {
        let functions = functions.clone();
        async move {
            let (outcome, report) = functions.call(&function, payload.to_string().into()).await;
            report.log_outcome("state machine", &outcome);
            let answer = outcome.map_err(|error| task_error(&error))?;
            serde_json::from_slice(&answer).map_err(|error| TaskError {
                error: "Lambda.Unknown".to_owned(),
                cause: format!("the answer is not JSON: {error}"),
            })
        }
    })
}

/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>
fn task_error(error: &InvokeError) -> TaskError {
    let (name, cause) = match error {
        InvokeError::Function(error) => {
            (error.error_type.as_str(), String::from_utf8_lossy(&error.payload).into_owned())
        }
        InvokeError::Throttled(_) => ("Lambda.TooManyRequestsException", error.to_string()),
        InvokeError::NotFound(_) => ("Lambda.ResourceNotFoundException", error.to_string()),
        InvokeError::PayloadTooLarge => ("Lambda.RequestTooLargeException", error.to_string()),
        InvokeError::Service(_) | InvokeError::Stopped => ("Lambda.ServiceException", error.to_string()),
    };
    TaskError { error: name.to_owned(), cause }
}

/// A schedule that is understood, but doesn't run yet.
pub struct Planned {
    function: String,
    arn: String,
    schedule: template::Schedule,
    rate: Rate,
}

/// Reads the template's schedules.
pub fn schedules(template: &Template) -> Result<Vec<Planned>> {
    let all = template.functions.iter().flat_map(|function| {
        function.schedules.iter().map(move |schedule| {
            let rate = schedule.expression.parse().map_err(anyhow::Error::msg);
            let rate = rate.with_context(|| format!("template.yaml is broken: {}", function.name))?;
            Ok(Planned {
                function: function.name.clone(),
                arn: function.arn.clone(),
                schedule: schedule.clone(),
                rate,
            })
        })
    });
    all.collect()
}

/// Starts a schedule, with its first call.
pub fn run_schedule(planned: Planned, functions: Functions) -> Schedule {
    Schedule::start(planned.rate, move || {
        let functions = functions.clone();
        let (function, what) = (planned.function.clone(), planned.schedule.expression.clone());
        let event = planned.schedule.input.clone().map_or_else(|| scheduled_event(&planned.arn), Bytes::from);
        async move {
            let (outcome, report) = functions.call(&function, event).await;
            report.log_outcome(what, &outcome);
        }
    })
}

/// What EventBridge Scheduler sends where the schedule has no input.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html>
fn scheduled_event(function: &str) -> Bytes {
    let event = json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT_ID,
        "time": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": REGION,
        "resources": [function],
        "detail": "{}",
    });
    Bytes::from(Value::to_string(&event))
}

/// The database of this stack. There is none where the secret `MONGODB_URI` is given: that is then the functions' affair alone.
/// Empties it, and all other data, if that was asked for.
pub async fn open_database(config: &Config, blueprint: &Blueprint) -> Result<Option<Database>> {
    if config.fresh {
        empty(&config.data)?;
    }
    let given = config.secrets.get(MONGODB_URI);
    let uri = given.or(config.mongodb_uri.as_ref());
    if let (true, Some(uri), Some(name)) =
        (config.fresh, uri, blueprint.value("MongoDatabase", &config.parameters))
    {
        empty_database(uri, &name).await?;
    }
    if given.is_some() {
        return Ok(None);
    }
    let tools = blueprint.root().join(".local");
    let port = config.expose.then(|| config.port + EXPOSED_DATABASE);
    Database::open(config.mongodb_uri.clone(), &config.data, &tools, port).await.map(Some)
}

/// Forgets what earlier runs kept in `data`. A fetched mongod stays.
fn empty(data: &Path) -> Result<()> {
    fs::create_dir_all(data).with_context(|| format!("{} cannot be created", data.display()))?;
    // Not under the feet of a stack that is running.
    let _lock = mongod::lock(data)?;
    for name in ["mongo", "s3", "vendor", EXECUTIONS] {
        let directory = data.join(name);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be emptied", directory.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A database that isn't the stack's own. What is on another machine may be somebody's work.
async fn empty_database(uri: &str, name: &str) -> Result<()> {
    let options = ClientOptions::parse(uri).await.context("MONGODB_URI is not a connection string")?;
    let is_here = |host: &ServerAddress| match host {
        ServerAddress::Tcp { host, .. } => {
            matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]")
        }
        _ => true,
    };
    ensure!(options.hosts.iter().all(is_here), "--fresh does not empty a database on another machine");
    Client::with_options(options)?.database(name).drop().await.context("the database cannot be emptied")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_keeps_what_was_fetched() {
        let data = tempfile::tempdir().unwrap();
        for name in ["mongo/x", "s3/x", "bin/x"] {
            fs::create_dir_all(data.path().join(name)).unwrap();
        }
        empty(data.path()).unwrap();
        let left: Vec<_> =
            fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.contains(&"bin".into()) && !left.contains(&"mongo".into()), "{left:?}");
        let _running = mongod::lock(data.path()).unwrap();
        assert!(empty(data.path()).unwrap_err().to_string().contains("another stack"));
    }

    #[tokio::test]
    async fn fresh_spares_other_machines() {
        let refused = empty_database("mongodb://db.example:27017/", "x").await.unwrap_err();
        assert!(refused.to_string().contains("another machine"));
    }

    #[test]
    fn errors_are_named_as_step_functions_names_them() {
        let named = |error| task_error(&error).error;
        assert_eq!(named(InvokeError::Throttled("F".to_owned())), "Lambda.TooManyRequestsException");
        assert_eq!(named(InvokeError::Stopped), "Lambda.ServiceException");
    }
}
