//! What a template may amount to. A few lines can stand for gigabytes: an alias for all that its anchor stands for, a `${Name}` for
//! all that its variable does. And what nests deeply overflows the stack of whoever walks over it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use saphyr_parser::{Event, Parser};

/// What `Fn::Sub` may make. It ends up in names, addresses and environment variables, and of these a function has 4 KB in all:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_TEXT_BYTES: usize = 4096;
/// A template's size, its aliases written out, as SAM does before it sends it:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.
const MAX_TEMPLATE_BYTES: usize = 1_000_000;
/// As of JSON in `serde_json`.
const MAX_DEPTH: usize = 128;

/// What a node of YAML stands for, its aliases written out.
#[derive(Clone, Copy, Default)]
struct Size {
    depth: usize,
    bytes: usize,
}

impl Size {
    fn add(&mut self, child: Self) {
        self.depth = self.depth.max(child.depth + 1);
        self.bytes = self.bytes.saturating_add(child.bytes);
    }
}

/// Fails if the YAML in `text` stands for too much. It looks at its events only, of which no tree is made.
pub fn check(text: &str) -> Result<()> {
    let mut anchors = BTreeMap::new();
    // The nodes that have begun, each with its anchor; the first stands for the whole text.
    let mut open = vec![(0, Size::default())];
    for event in Parser::new_from_str(text) {
        let (anchor, size) = match event.context("it is not valid YAML")?.0 {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, Size { depth: 0, bytes: 2 }));
                ensure!(open.len() <= MAX_DEPTH, "it nests deeper than {MAX_DEPTH} levels");
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap_or_default(),
            // With what separates it from the next.
            Event::Scalar(text, _, anchor, _) => (anchor, Size { depth: 0, bytes: text.len() + 1 }),
            Event::Alias(anchor) => (0, anchors.get(&anchor).copied().unwrap_or_default()),
            _ => continue,
        };
        // Those without an anchor have the number 0, and no alias.
        anchors.insert(anchor, size);
        let Some((_, parent)) = open.last_mut() else { continue };
        parent.add(size);
        let (bytes, depth) = (parent.bytes, parent.depth);
        ensure!(open.len() + depth <= MAX_DEPTH, "it nests deeper than {MAX_DEPTH} levels");
        ensure!(bytes <= MAX_TEMPLATE_BYTES, "it stands for more than {MAX_TEMPLATE_BYTES} bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        check(text).unwrap_err().to_string()
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(check(&("- ".repeat(100) + "x")).is_ok());
        assert!(refusal(&("- ".repeat(100_000) + "x")).contains("deeper than 128"));
        // By aliases: each of these lines nests by 50 levels what the one before it does.
        let nested = |inner: &str| "[".repeat(50) + inner + &"]".repeat(50);
        let two = format!("a: &a {}\nb: &b {}\n", nested("x"), nested("*a"));
        assert!(check(&two).is_ok());
        assert!(refusal(&format!("{two}c: {}", nested("*b"))).contains("deeper than 128"));
    }

    #[test]
    fn what_aliases_stand_for_has_an_end() {
        let long = format!("a: &a {}\n", "x".repeat(100_000));
        assert!(check(&format!("{long}b: [*a, *a]")).is_ok());
        assert!(refusal(&format!("{long}b: [{}]", "*a,".repeat(10))).contains("more than 1000000"));
        let line = |n: usize| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(10));
        let laughs: String = (1..30).map(line).collect();
        assert!(refusal(&format!("a0: &a0 ha\n{laughs}")).contains("more than 1000000"));
    }

    #[test]
    fn what_is_no_yaml_is_refused() {
        assert!(refusal("a: [").contains("not valid YAML"));
        assert!(refusal("a: *b").contains("not valid YAML"));
    }
}
