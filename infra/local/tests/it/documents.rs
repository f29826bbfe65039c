//! The documents say what is there.

use std::{collections::BTreeSet, path::Path};

use local::{faults::FAULTS, secrets, secrets::MONGODB_URI, template::Blueprint};
use regex::Regex;
use reqwest::Method;

use crate::{
    api::{self, Sender},
    board::{Board, project},
};

fn read(name: &str) -> String {
    std::fs::read_to_string(project().join(name)).unwrap()
}

/// All Rust source below `directory`.
fn sources(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.is_dir() {
        true => sources(&path),
        false => std::fs::read_to_string(path).unwrap_or_default(),
    });
    texts.collect()
}

#[test]
fn the_readme_knows_every_fault() {
    let readme = read("README.md");
    for (_, name, what) in FAULTS {
        assert!(readme.contains(&format!("| `{name}` | {what} |")), "{name}");
    }
}

/// All Rust source of the project.
fn all_sources() -> String {
    ["infra/local/src", "infra/local/tests", "shared/src", "functions"]
        .map(|part| sources(&project().join(part)))
        .concat()
}

#[test]
fn the_tests_that_documents_name_exist() {
    let sources = all_sources();
    let local = project().join("infra/local");
    let names = Regex::new("`([a-z0-9]+(?:_[a-z0-9]+){2,})(_…)?`").unwrap();
    let files = Regex::new(r"`([a-z0-9_]+(?:/[a-z0-9_]+)*\.rs)`").unwrap();
    for (document, least) in [("docs/parity.md", 25), ("SECURITY.md", 30)] {
        let text = read(document);
        let mut found = 0;
        for name in names.captures_iter(&text) {
            let whole = if name.get(2).is_some() { "" } else { "()" };
            assert!(sources.contains(&format!("fn {}{whole}", &name[1])), "{document}: {}", &name[1]);
            found += 1;
        }
        assert!(found > least, "{document}: only {found} tests");
        for file in files.captures_iter(&text) {
            let is_there = |directory: &str| local.join(directory).join(&file[1]).is_file();
            let is_named_whole = project().join(&file[1]).is_file();
            assert!(is_named_whole || is_there("src") || is_there("tests/it"), "{document}: {}", &file[1]);
        }
    }
}

#[test]
fn every_route_of_the_template_is_described_and_no_other() {
    let blueprint = Blueprint::read(&project().join("template.yaml")).unwrap();
    let given = [("Authentication", "off".to_owned()), ("MongoUriArn", secrets::arn(MONGODB_URI))];
    let given = given.map(|(name, value)| (name.to_owned(), value)).into();
    let template = blueprint.resolve(&given).unwrap();
    let routes = template.http_api.unwrap().routes.into_iter().map(|route| (route.method, route.path));
    assert_eq!(routes.collect::<BTreeSet<_>>(), api::routes());
}

#[tokio::test]
async fn the_descriptions_can_be_read_in_a_browser() {
    let board = Board::start().await;
    let answer = board.request(Method::GET, "/_local/docs").send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let page = answer.text().await.unwrap();
    assert!(page.contains("POST /api/generate/video") && page.contains("workspace.sync_confirm"));
    // It is no part of the API.
    board.get("/_local/nothing").await.refused(404, "NOT_FOUND");
    board.stop().await;
}

/// What `pattern` finds in a file of the project.
fn found(file: &str, pattern: &str) -> BTreeSet<String> {
    let text = read(file);
    let text = text.split("#[cfg(test)]").next().unwrap();
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

fn names(sender: Sender) -> BTreeSet<String> {
    api::messages(sender).into_keys().filter(|name| name != "gateway-error").collect()
}

#[test]
fn every_frame_of_the_code_is_described_and_no_other() {
    let commands = found("shared/src/model/frame.rs", r#"=> "(ping|[a-z]+\.[a-z_]+)""#);
    assert_eq!(commands, names(Sender::Client));
    let told = found("shared/src/model/event.rs", r#"rename = "([a-z_.]+)""#);
    assert_eq!(told, names(Sender::Server));
}

#[test]
fn every_code_of_an_error_is_described() {
    let described = read("docs/openapi.yaml");
    let codes = found("shared/src/edge/rest.rs", r#""([A-Z]+(?:_[A-Z]+)*)""#);
    assert!(codes.len() >= 10, "{codes:?}");
    for code in &codes {
        assert!(described.contains(&format!("const: {code}\n")), "{code}");
    }
    let limits = found("shared/src/service/quotas.rs", r#"=> "([a-z_]+)""#);
    assert_eq!(limits.len(), 5);
    for limit in &limits {
        assert!(described.contains(limit), "{limit}");
    }
    let described = read("docs/asyncapi.yaml");
    let variants = read("shared/src/model/event.rs");
    let variants = variants.split("pub enum ErrorCode {").nth(1).unwrap().split('}').next().unwrap();
    let words = Regex::new("([a-z])([A-Z])").unwrap();
    let mut count = 0;
    for variant in Regex::new(r"(?m)^    ([A-Z]\w+),$").unwrap().captures_iter(variants) {
        let code = words.replace_all(&variant[1], "${1}_$2").to_uppercase();
        assert!(described.contains(&code), "{code}");
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn the_parameters_that_documents_name_exist() {
    let blueprint = Blueprint::read(&project().join("template.yaml")).unwrap();
    let names =
        Regex::new("(?:--parameter |parameter `)([A-Z][A-Za-z]+)|^\\| `([A-Z][A-Za-z]+)` \\|").unwrap();
    for document in [
        "README.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "docs/deploy.md",
        "docs/cost.md",
        "docs/scale.md",
        "docs/sam-local.md",
        "docs/vendors.md",
    ] {
        let text = read(document);
        for line in text.lines() {
            for name in names.captures_iter(line) {
                let name = name.get(1).or_else(|| name.get(2)).unwrap().as_str();
                assert!(name == "Name" || blueprint.has_parameter(name), "{document}: {name}");
            }
        }
    }
}

#[test]
fn the_page_on_deployment_knows_every_alarm_and_only_messages_that_are_logged() {
    let page = read("docs/deploy.md");
    let template = local::template::yaml::parse(&read("template.yaml")).unwrap();
    let mut alarms = BTreeSet::new();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            alarms.insert(name.strip_suffix("Alarm").unwrap().to_owned());
        }
    }
    let described = Regex::new(r"(?m)^\| \*\*(\w+)\*\*").unwrap();
    let described: BTreeSet<_> = described.captures_iter(&page).map(|row| row[1].to_owned()).collect();
    assert_eq!(described, alarms);

    let mut sources = String::new();
    for directory in ["shared/src", "functions"] {
        collect_sources(&project().join(directory), &mut sources);
    }
    let messages = [
        "secrets not renewed",
        "function not started",
        "event failed",
        "request failed",
        "polling again",
        "video kept",
        "video not kept: left at the vendor's address",
        "videos not removed",
        "removing videos that nobody is shown any more",
        "task cancelled",
        "task not cancelled",
        "task found whose creation got no answer",
        "execution given up",
        "unknown vendor status, taken for running",
    ];
    for message in messages {
        assert!(page.contains(message) && sources.contains(&format!("\"{message}\"")), "{message}");
    }
    for queried in Regex::new(r#"message = "([^"]+)""#).unwrap().captures_iter(&page) {
        assert!(messages.contains(&&queried[1]), "{}", &queried[1]);
    }
    for name in Regex::new(r"`([A-Z][a-z]+[A-Z]\w+)`(?: \(\d| =|, empty)").unwrap().captures_iter(&page) {
        assert!(template["Parameters"].get(&name[1]).is_some(), "{}", &name[1]);
    }
}

fn collect_sources(directory: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
