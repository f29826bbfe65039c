//! One log for people: a line for each call, and under it what the function itself wrote.
//!
//! ```text
//! 12:00:01.250  GET /api/workspaces → 200  ListWorkspacesFunction  6 ms  cold 35 ms
//!               INFO  listed workspaces count=3
//! ```

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};

use jiff::Zoned;
use owo_colors::{OwoColorize, Style};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Target of the event that says how a call went.
pub const CALL: &str = "local::call";
/// Target of a line that a function wrote when its call was already logged.
pub const LATE_LINE: &str = "local::late_line";

/// So that lines of functions stand under the text of their call.
const INDENT: &str = "              ";

/// As much as is shown of what a call was.
const MAX_WHAT_CHARS: usize = 200;

/// A call that the gateway answered by itself.
pub fn refused(what: &str, status: u16) {
    tracing::info!(target: CALL, what, status = status.to_string());
}

/// Makes this process write its log to stdout. Only the program does that, never a test that uses the library.
pub fn install() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,local=info"));
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::registry().with(filter).with(ForPeople { colours }).init();
}

/// Formats events for people.
struct ForPeople {
    colours: bool,
}

impl<S: Subscriber> Layer<S> for ForPeople {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = Zoned::now().strftime("%H:%M:%S.%3f").to_string();
        let text = match event.metadata().target() {
            CALL => self.call(&time, &fields),
            LATE_LINE => self.late_line(&time, &fields),
            _ => self.other(&time, *event.metadata().level(), &fields),
        };
        // If stdout is gone there is nobody to tell.
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }
}

impl ForPeople {
    fn call(&self, time: &str, fields: &Fields) -> String {
        let status = fields.text("status");
        let style = match status.as_bytes().first() {
            Some(b'4') => Style::new().yellow(),
            Some(b'5') => Style::new().red(),
            _ if status == "error" || status == "failed" => Style::new().red(),
            _ => Style::new().green(),
        };
        let status = self.paint(status, style);
        let mut text = format!("{}  {} → {status}", self.dim(time), one_line(fields.text("what")));
        if !fields.text("function").is_empty() {
            let _ = write!(text, "  {}", self.dim(fields.text("function")));
        }
        if fields.text("called") == "true" {
            let start = match fields.number("cold_ms") {
                Some(ms) => format!("cold {ms:.0} ms"),
                None => "warm".to_owned(),
            };
            let took = fields.number("ms").unwrap_or_default();
            let took = if took < 10.0 { format!("{took:.1} ms") } else { format!("{took:.0} ms") };
            let _ = write!(text, "  {took}  {}", self.dim(&start));
        }
        text.push('\n');
        if !fields.text("reason").is_empty() {
            let _ = writeln!(text, "{INDENT}{}", self.paint(fields.text("reason"), style_of("ERROR")));
        }
        for line in fields.text("lines").lines() {
            self.function_line(&mut text, line);
        }
        text
    }

    fn late_line(&self, time: &str, fields: &Fields) -> String {
        let mut text = format!("{}  {}\n", self.dim(time), self.dim(fields.text("function")));
        self.function_line(&mut text, fields.text("line"));
        text
    }

    fn other(&self, time: &str, level: Level, fields: &Fields) -> String {
        let mut text = format!("{}  ", self.dim(time));
        if level != Level::INFO {
            let _ = write!(text, "{} ", self.paint(level.as_str(), style_of(level.as_str())));
        }
        text.push_str(fields.text("message"));
        for (name, value) in fields.0.iter().filter(|(name, _)| *name != "message") {
            let _ = write!(text, " {}{value}", self.dim(&format!("{name}=")));
        }
        text.push('\n');
        text
    }

    /// JSON lines become level, message and fields; other lines stay as they are.
    fn function_line(&self, text: &mut String, line: &str) {
        let Ok(Value::Object(json)) = serde_json::from_str(line) else {
            let _ = writeln!(text, "{INDENT}{line}");
            return;
        };
        if json.contains_key("_aws") {
            // Metrics are for CloudWatch.
            return;
        }
        let level = json.get("level").and_then(Value::as_str).unwrap_or("INFO");
        let _ = write!(text, "{INDENT}{}", self.paint(&format!("{level:<5}"), style_of(level)));
        // tracing's own JSON has the message among the fields, flattened or not.
        let nested = json.get("fields").and_then(Value::as_object);
        let message = nested.and_then(|fields| fields.get("message")).or_else(|| json.get("message"));
        if let Some(message) = message {
            let _ = write!(text, " {}", plain(message));
        }
        let empty = Map::new();
        for (name, value) in json.iter().chain(nested.unwrap_or(&empty)) {
            if !UNSHOWN.contains(&name.as_str()) {
                let _ = write!(text, " {}{}", self.dim(&format!("{name}=")), plain(value));
            }
        }
        text.push('\n');
    }

    fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colours { text.style(style).to_string() } else { text.to_owned() }
    }
}

/// What the line of the call says already, or nobody reads.
const UNSHOWN: [&str; 12] = [
    "AWSRequestId",
    "fields",
    "level",
    "message",
    "requestId",
    "span",
    "spans",
    "target",
    "threadId",
    "threadName",
    "timestamp",
    "xrayTraceId",
];

fn style_of(level: &str) -> Style {
    match level {
        "ERROR" => Style::new().red(),
        "WARN" => Style::new().yellow(),
        _ => Style::new().dimmed(),
    }
}

/// What a call was, which is in part a client's own words: it must not look like another line, nor speak to the terminal.
fn one_line(text: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '\'' | '\\' => letter.to_string(),
        other => other.escape_debug().to_string(),
    };
    let mut line: String = text.chars().take(MAX_WHAT_CHARS).map(escape).collect();
    if text.chars().nth(MAX_WHAT_CHARS).is_some() {
        line.push('…');
    }
    line
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The fields of an event, as text.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: ForPeople = ForPeople { colours: false };

    fn fields(pairs: &[(&'static str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }

    #[test]
    fn a_call_with_its_lines() {
        let lines = r#"{"timestamp":"t","level":"WARN","fields":{"message":"slow","count":3},"target":"x","span":{}}
{"level":"INFO","message":"flat","requestId":"r","name":"n"}
plain"#;
        let fields = fields(&[
            ("what", "GET /a"),
            ("status", "200"),
            ("function", "F"),
            ("ms", "5.5"),
            ("cold_ms", "35.2"),
            ("called", "true"),
            ("lines", lines),
        ]);
        assert_eq!(
            PLAIN.call("12:00:00.000", &fields),
            "12:00:00.000  GET /a → 200  F  5.5 ms  cold 35 ms
              WARN  slow count=3
              INFO  flat name=n
              plain\n"
        );
    }

    #[test]
    fn what_a_client_says_stays_on_its_line() {
        let line = |what: &str| PLAIN.call("t", &fields(&[("what", what), ("status", "200")]));
        let forged = "ping\n12:00:00.000  GET /a → 200\u{1b}[31m\u{0}\u{202e}";
        let shown = r"ping\n12:00:00.000  GET /a → 200\u{1b}[31m\0\u{202e}";
        assert_eq!(line(forged), format!("t  {shown} → 200\n"));
        assert_eq!(line("GET /图片?\"a'b\\"), "t  GET /图片?\"a'b\\ → 200\n");
        assert!(line(&"x".repeat(32_000)).len() < 300);
    }

    #[test]
    fn a_refusal_has_no_function() {
        let fields = fields(&[("what", "GET /b"), ("status", "404")]);
        assert_eq!(PLAIN.call("t", &fields), "t  GET /b → 404\n");
    }

    #[test]
    fn colours_only_if_wanted() {
        let fields = fields(&[("what", "GET /b"), ("status", "404")]);
        assert!(ForPeople { colours: true }.call("t", &fields).contains("\u{1b}[33m404"));
    }
}
