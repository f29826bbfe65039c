//! Logs to where Lambda collects them: a line of JSON for what is worth saying, with the ids of the event that it is about, and one line
//! for each event with what was measured during it, in CloudWatch's embedded metric format.

use std::{collections::BTreeMap, env, fmt::Debug, io::Write};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    filter::filter_fn,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    model::Timestamp,
    service::metrics::{COUNT, TARGET},
};

/// The name of the span of an event.
pub(super) const EVENT: &str = "event";
/// How many values of a kind a line may have: with more CloudWatch ignores all of it.
const MAX_VALUES: usize = 100;
/// The namespace of the metrics. Their one dimension is the stack: CloudWatch has a price for each combination.
const NAMESPACE: &str = "Motionboard";

/// Starts logging, at the level and in the format that Lambda's logging configuration names.
///
/// The runtime crate's own `init_default_subscriber` does the same, and takes filters for single modules too: for those it
/// links a regular expression engine into each function.
pub(super) fn init() {
    let asked_for = env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let lines = tracing_subscriber::fmt::layer().with_target(false);
    let is_json = env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    let lines = if is_json {
        // With a time: Lambda takes a line without one for INFO, whatever it says.
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.without_time().boxed()
    };
    let for_people = level(asked_for.as_deref());
    // The event's own span is an error's, so that each line at any level has it.
    let lines = lines.with_filter(filter_fn(move |metadata| {
        *metadata.level() <= for_people && !is_metric(metadata) && !is_said_already(metadata)
    }));
    let metrics = Metrics { stack: env::var("STACK_NAME").unwrap_or_default() };
    let metrics = metrics.with_filter(filter_fn(|metadata| {
        is_metric(metadata) || metadata.is_span() && metadata.name() == EVENT
    }));
    tracing_subscriber::registry().with(lines).with(metrics).init();
}

fn is_metric(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target() == TARGET
}

/// What an event fails with is logged by whoever serves it, with its ids. The runtime crate would say it once more, without; that a
/// handler panicked, for which it also has a field `error`, it alone can say.
fn is_said_already(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "lambda_runtime::layers::panic" && metadata.fields().field("error").is_none()
}

/// Never TRACE, at which the runtime crate would log whole events, and tokens with them. Lambda's FATAL is beyond what `tracing`
/// has; everything else that is no level, as no level at all, is INFO.
fn level(asked_for: Option<&str>) -> LevelFilter {
    match asked_for {
        Some("FATAL") => LevelFilter::ERROR,
        Some(level) => level.parse().unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG),
        None => LevelFilter::INFO,
    }
}

/// Writes what was measured during an event, when it ends.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
struct Metrics {
    stack: String,
}

/// What was measured during an event, and the event's ids.
#[derive(Default)]
struct Measured {
    ids: BTreeMap<&'static str, String>,
    values: BTreeMap<String, Values>,
}

/// What was measured of one kind: a sum of counts, or each time.
struct Values {
    unit: String,
    values: Vec<f64>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Metrics {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut measured = Measured::default();
        attributes.record(&mut measured);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(measured);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(measured) = span.extensions_mut().get_mut::<Measured>()
        {
            record.record(measured);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(measured) = span.extensions_mut().get_mut::<Measured>() {
                return measured.add(said);
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(measured) = span.extensions_mut().remove::<Measured>() else { return };
        if !measured.values.is_empty() {
            let mut line = measured.line(&self.stack, Timestamp::now()).to_string();
            line.push('\n');
            // There is nobody to tell that nobody can be told.
            let _ = std::io::stdout().write_all(line.as_bytes());
        }
    }
}

impl Measured {
    fn add(&mut self, Said { name, unit, value }: Said) {
        let kind = self.values.entry(name).or_insert(Values { unit, values: Vec::new() });
        match kind.values.as_mut_slice() {
            [sum] if kind.unit == COUNT => *sum += value,
            values if values.len() < MAX_VALUES => kind.values.push(value),
            // A sample is better than nothing.
            _ => {}
        }
    }

    fn line(&self, stack: &str, now: Timestamp) -> Value {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Definition<'a> {
            name: &'a str,
            unit: &'a str,
        }
        let definitions: Vec<_> =
            self.values.iter().map(|(name, values)| Definition { name, unit: &values.unit }).collect();
        let metrics = json!([{"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": definitions}]);
        let mut line = Map::from_iter([
            ("_aws".to_owned(), json!({"Timestamp": now.millis(), "CloudWatchMetrics": metrics})),
            ("Stack".to_owned(), stack.into()),
        ]);
        line.extend(self.ids.iter().map(|(name, id)| ((*name).to_owned(), id.as_str().into())));
        line.extend(self.values.iter().map(|(name, values)| (name.clone(), values.values.as_slice().into())));
        Value::Object(line)
    }
}

impl Visit for Measured {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.ids.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.ids.insert(field.name(), format!("{value:?}"));
    }
}

/// A measurement, as `service::metrics` says it.
#[derive(Default)]
struct Said {
    name: String,
    unit: String,
    value: f64,
}

impl Visit for Said {
    fn record_f64(&mut self, _: &Field, value: f64) {
        self.value = value;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "name" => value.clone_into(&mut self.name),
            "unit" => value.clone_into(&mut self.unit),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::metrics::MILLISECONDS;

    #[test]
    fn whatever_is_asked_for_nothing_is_traced() {
        for (asked_for, expected) in [
            (None, LevelFilter::INFO),
            (Some("FATAL"), LevelFilter::ERROR),
            (Some("WARN"), LevelFilter::WARN),
            (Some("DEBUG"), LevelFilter::DEBUG),
            (Some("TRACE"), LevelFilter::DEBUG),
            (Some("x"), LevelFilter::INFO),
        ] {
            assert_eq!(level(asked_for), expected, "{asked_for:?}");
        }
    }

    #[test]
    fn counts_are_added_up_and_times_are_listed() {
        let mut measured = Measured::default();
        measured.ids.insert("request_id", "r".to_owned());
        for (name, unit, value) in [
            ("PushesSent", COUNT, 2.0),
            ("VendorTime", MILLISECONDS, 1.5),
            ("PushesSent", COUNT, 3.0),
            ("VendorTime", MILLISECONDS, 2.5),
        ] {
            measured.add(Said { name: name.to_owned(), unit: unit.to_owned(), value });
        }
        let mut many = Measured::default();
        for _ in 0..1000 {
            many.add(Said { name: "VendorTime".to_owned(), unit: MILLISECONDS.to_owned(), value: 1.0 });
        }
        assert_eq!(many.values["VendorTime"].values.len(), 100);
        let line = measured.line("motionboard-dev", Timestamp::from_millis(1_766_534_460_000));
        assert_eq!(
            line,
            json!({
                "_aws": {"Timestamp": 1_766_534_460_000_i64, "CloudWatchMetrics": [{
                    "Namespace": "Motionboard", "Dimensions": [["Stack"]], "Metrics": [
                        {"Name": "PushesSent", "Unit": "Count"}, {"Name": "VendorTime", "Unit": "Milliseconds"},
                    ],
                }]},
                "Stack": "motionboard-dev", "request_id": "r", "PushesSent": [5.0], "VendorTime": [1.5, 2.5],
            })
        );
    }
}
