//! A state machine's definition, parsed and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::path::{Path, ResultPath};

/// A definition that the interpreter can run to its end.
#[derive(Debug)]
pub struct StateMachine {
    pub(super) start: String,
    pub(super) states: BTreeMap<String, State>,
}

#[derive(Debug)]
pub(super) enum State {
    Wait(Wait),
    Task(Task),
    Choice(Choice),
    Succeed,
    Fail(Fail),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Wait {
    pub seconds_path: Path,
    pub next: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Task {
    #[serde(rename = "Resource")]
    _resource: Resource,
    pub parameters: Parameters,
    /// Required here, though AWS has a default: 99,999,999 seconds help nobody.
    pub timeout_seconds: u32,
    pub result_selector: Option<ResultSelector>,
    #[serde(default)]
    pub result_path: ResultPath,
    #[serde(default)]
    pub retry: Vec<Retrier>,
    #[serde(default)]
    pub catch: Vec<Catcher>,
    pub next: String,
}

#[derive(Debug, Deserialize)]
enum Resource {
    #[serde(rename = "arn:aws:states:::lambda:invoke")]
    LambdaInvoke,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(rename = "FunctionName")]
    pub function_name: String,
    #[serde(rename = "Payload.$")]
    pub payload: Path,
}

/// Members `"name.$": "$.path"`: the result is replaced by an object with what these paths find in it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "BTreeMap<String, Path>")]
pub(super) struct ResultSelector(pub Vec<(String, Path)>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Retrier {
    pub error_equals: Errors,
    #[serde(default = "Retrier::default_interval")]
    interval_seconds: u32,
    #[serde(default = "Retrier::default_backoff")]
    backoff_rate: f64,
    max_delay_seconds: Option<u32>,
    #[serde(default = "Retrier::default_attempts")]
    pub max_attempts: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Catcher {
    pub error_equals: Errors,
    #[serde(default)]
    pub result_path: ResultPath,
    pub next: String,
}

/// `ErrorEquals`, never empty; `States.ALL` stands alone.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct Errors(Vec<String>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Choice {
    pub choices: Vec<Rule>,
    pub default: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Rule {
    pub variable: Path,
    pub string_equals: String,
    pub next: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Fail {
    #[serde(default)]
    pub error: String,
    #[serde(default)]
    pub cause: String,
}

impl StateMachine {
    /// Parses the text of a definition, with `DefinitionSubstitutions` put in for every `${Name}`.
    pub fn parse(text: &str, substitutions: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase", deny_unknown_fields)]
        struct Definition {
            start_at: String,
            states: BTreeMap<String, Map<String, Value>>,
            #[serde(rename = "Comment")]
            _comment: Option<String>,
        }
        let definition: Definition = serde_json::from_str(&substitute(text, substitutions)?)?;
        let mut states = BTreeMap::new();
        for (name, fields) in definition.states {
            let state = State::parse(fields).with_context(|| format!("state {name}"));
            // One sentence, wherever it is shown.
            states.insert(name, state.map_err(|error| anyhow!("{error:#}"))?);
        }
        let machine = Self { start: definition.start_at, states };
        machine.check_targets()?;
        Ok(machine)
    }

    fn check_targets(&self) -> anyhow::Result<()> {
        ensure!(
            self.states.contains_key(&self.start),
            "StartAt names the state {}, which does not exist",
            self.start
        );
        for (name, state) in &self.states {
            for target in state.targets() {
                ensure!(
                    self.states.contains_key(target),
                    "state {name}: the next state {target} does not exist"
                );
            }
        }
        Ok(())
    }
}

fn substitute(text: &str, substitutions: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut pieces = text.split("${");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').context("a ${ without its }")?;
        let value =
            substitutions.get(name).with_context(|| format!("there is no substitution for ${{{name}}}"))?;
        // A substitution stands inside a JSON string, or is a number.
        let quoted = serde_json::to_string(value)?;
        result.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        result.push_str(rest);
    }
    Ok(result)
}

impl State {
    fn parse(mut fields: Map<String, Value>) -> anyhow::Result<Self> {
        fields.remove("Comment");
        let Some(Value::String(kind)) = fields.remove("Type") else { bail!("it has no Type") };
        Ok(match kind.as_str() {
            "Wait" => Self::Wait(parse(fields)?),
            "Task" => {
                let task: Task = parse(fields)?;
                task.check()?;
                Self::Task(task)
            }
            "Choice" => {
                let choice: Choice = parse(fields)?;
                ensure!(!choice.choices.is_empty(), "Choices is empty");
                Self::Choice(choice)
            }
            "Succeed" => {
                ensure!(fields.is_empty(), "unknown field {:?}", fields.keys().next());
                Self::Succeed
            }
            "Fail" => Self::Fail(parse(fields)?),
            other => bail!("the local stack does not run states of type {other}"),
        })
    }

    fn targets(&self) -> Vec<&str> {
        match self {
            Self::Wait(wait) => vec![&wait.next],
            Self::Task(task) => {
                let mut targets: Vec<&str> = task.catch.iter().map(|catcher| catcher.next.as_str()).collect();
                targets.push(&task.next);
                targets
            }
            Self::Choice(choice) => {
                let mut targets: Vec<&str> = choice.choices.iter().map(|rule| rule.next.as_str()).collect();
                targets.extend(choice.default.as_deref());
                targets
            }
            Self::Succeed | Self::Fail(_) => vec![],
        }
    }
}

fn parse<T: DeserializeOwned>(fields: Map<String, Value>) -> anyhow::Result<T> {
    Ok(serde_json::from_value(Value::Object(fields))?)
}

impl Task {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.timeout_seconds > 0, "TimeoutSeconds must be at least 1");
        check_order("Retry", self.retry.iter().map(|retrier| &retrier.error_equals))?;
        check_order("Catch", self.catch.iter().map(|catcher| &catcher.error_equals))?;
        for retrier in &self.retry {
            ensure!(retrier.interval_seconds > 0, "Retry: IntervalSeconds must be at least 1");
            ensure!(retrier.backoff_rate >= 1.0, "Retry: BackoffRate must be at least 1");
            let longest = retrier.max_delay_seconds.unwrap_or(u32::MAX);
            ensure!(
                longest > retrier.interval_seconds,
                "Retry: MaxDelaySeconds must be above IntervalSeconds"
            );
        }
        Ok(())
    }
}

fn check_order<'a>(field: &str, all: impl DoubleEndedIterator<Item = &'a Errors>) -> anyhow::Result<()> {
    let wildcard_before_the_end = all.rev().skip(1).any(|errors| errors.0.iter().any(|name| name == ALL));
    ensure!(!wildcard_before_the_end, "{field}: {ALL} must come last");
    Ok(())
}

impl Retrier {
    fn default_interval() -> u32 {
        1
    }

    fn default_backoff() -> f64 {
        2.0
    }

    fn default_attempts() -> u32 {
        3
    }

    /// How long to wait before retry number `retries_so_far + 1`.
    pub(super) fn delay(&self, retries_so_far: u32) -> Duration {
        let exponent = i32::try_from(retries_so_far).unwrap_or(i32::MAX);
        let seconds = f64::from(self.interval_seconds) * self.backoff_rate.powi(exponent);
        // AWS caps MaxDelaySeconds at a year; so does this where there is none.
        Duration::from_secs_f64(seconds.min(f64::from(self.max_delay_seconds.unwrap_or(31_622_400))))
    }
}

const ALL: &str = "States.ALL";

impl Errors {
    pub(super) fn match_name(&self, error: &str) -> bool {
        self.0.iter().any(|pattern| match (pattern.as_str(), error) {
            // Neither retried nor caught, whatever the definition says.
            (_, "States.Runtime") => false,
            (ALL, error) => error != "States.DataLimitExceeded",
            ("States.TaskFailed", error) => !matches!(error, "States.Timeout" | "States.DataLimitExceeded"),
            (pattern, error) => pattern == error,
        })
    }
}

impl TryFrom<Vec<String>> for Errors {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        if names.is_empty() {
            return Err("ErrorEquals is empty".to_owned());
        }
        if names.len() > 1 && names.iter().any(|name| name == ALL) {
            return Err(format!("ErrorEquals: {ALL} must stand alone"));
        }
        Ok(Self(names))
    }
}

impl TryFrom<BTreeMap<String, Path>> for ResultSelector {
    type Error = String;

    fn try_from(members: BTreeMap<String, Path>) -> Result<Self, String> {
        members
            .into_iter()
            .map(|(name, path)| match name.strip_suffix(".$") {
                Some(name) => Ok((name.to_owned(), path)),
                None => {
                    Err(format!("ResultSelector: the member {name:?} is no path, its name has to end in .$"))
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
