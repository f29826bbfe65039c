//! The documents say what is there.

use std::path::Path;

use local::faults::FAULTS;
use regex::Regex;

use crate::board::project;

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

#[test]
fn what_parity_names_exists() {
    let local = project().join("infra/local");
    let sources = sources(&local.join("src")) + &sources(&local.join("tests"));
    let parity = read("docs/parity.md");
    let names = Regex::new("`([a-z0-9]+(?:_[a-z0-9]+){2,})(_…)?`").unwrap();
    let mut found = 0;
    for name in names.captures_iter(&parity) {
        let whole = if name.get(2).is_some() { "" } else { "()" };
        assert!(sources.contains(&format!("fn {}{whole}", &name[1])), "{}", &name[1]);
        found += 1;
    }
    assert!(found > 25, "only {found} tests");
    let files = Regex::new(r"`([a-z0-9_]+(?:/[a-z0-9_]+)*\.rs)`").unwrap();
    for file in files.captures_iter(&parity) {
        let is_there = |directory: &str| local.join(directory).join(&file[1]).is_file();
        assert!(is_there("src") || is_there("tests/it"), "{}", &file[1]);
    }
}
