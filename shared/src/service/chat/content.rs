//! What the model's own text is worth: suggestions, or a fault that can be told to it.

use serde_json::Value;

use super::{answer::Said, prompt};
use crate::model::Suggestions;

/// As long as a parameter may be (contract §6), and the reason gets no more.
const MAX_CHARS: usize = 2_000;

/// What is wrong with an answer. Its text goes to the model, to be repaired, and to the log: nothing of the answer is in it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nothing, or blanks.
    #[error("it is empty")]
    Empty,
    /// The model had to stop before it was done.
    #[error("it was cut off because it is too long; use fewer words")]
    Cut,
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// Another kind of JSON.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A member is of another kind.
    #[error("`{0}` must be a string")]
    NotText(&'static str),
    /// A member is too long.
    #[error("`{0}` has more than {MAX_CHARS} characters")]
    TooLong(&'static str),
    /// No reason is given.
    #[error("`reasoning` is missing")]
    NoReason,
    /// It shows what nobody is to see.
    #[error("it repeats its instructions")]
    Leak,
}

impl Fault {
    /// Whether the model is not asked to repair it: a model that was talked into showing its instructions would be given another
    /// chance to do it better.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Leak)
    }
}

/// The suggestions that the model has made.
pub(super) fn read(said: &Said) -> Result<Suggestions, Fault> {
    parse(&said.text).map_err(|fault| match fault {
        Fault::NotJson(_) if said.is_cut => Fault::Cut,
        fault => fault,
    })
}

/// Reads the members that the contract knows, and drops all others.
fn parse(text: &str) -> Result<Suggestions, Fault> {
    let Value::Object(members) = serde_json::from_str(bare(text)).map_err(Fault::NotJson)? else {
        return Err(Fault::NotAnObject);
    };
    let member = |name: &'static str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() > MAX_CHARS => Err(Fault::TooLong(name)),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)),
        Some(_) => Err(Fault::NotText(name)),
    };
    // One text, so that the instructions can't be dealt out to several members.
    let names = ["camera_movement", "shot_type", "lighting", "motion_prompt", "reasoning"];
    let all: String = names.iter().filter_map(|name| members.get(*name)?.as_str()).collect();
    if prompt::quotes_instructions(&all) {
        return Err(Fault::Leak);
    }
    Ok(Suggestions {
        camera_movement: member("camera_movement")?,
        shot_type: member("shot_type")?,
        lighting: member("lighting")?,
        motion_prompt: member("motion_prompt")?,
        reasoning: member("reasoning")?.ok_or(Fault::NoReason)?,
    })
}

/// Without the thoughts that some models put before their answer, and the fence that many put around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let thought = text.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
    let text = thought.map_or(text, |(_, answer)| answer.trim());
    let Some((_, fenced)) = text.strip_prefix("```").and_then(|rest| rest.split_once('\n')) else {
        return text;
    };
    fenced.trim_end().strip_suffix("```").unwrap_or(fenced)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_members_of_the_contract_come_through() {
        let said = json!({
            "camera_movement": " 环绕\n", "shot_type": null, "lighting": "  ", "reasoning": "更有空间感",
            "mood": "x", "_id": 1, "video": {"url": "https://evil.example"},
        });
        let expected = Suggestions {
            camera_movement: Some("环绕".to_owned()),
            shot_type: None,
            lighting: None,
            motion_prompt: None,
            reasoning: "更有空间感".to_owned(),
        };
        assert_eq!(parse(&said.to_string()).unwrap(), expected);
    }

    #[test]
    fn a_fault_says_what_to_repair_and_nothing_of_the_answer() {
        let secret = "geheim";
        let long = json!({"reasoning": "x", "lighting": secret.repeat(400)}).to_string();
        for (said, fault) in [
            ("geheim".to_owned(), "it is not JSON: expected value at line 1 column 1"),
            (
                r#"{"reasoning": "geheim"#.to_owned(),
                "it is not JSON: EOF while parsing a string at line 1 column 21",
            ),
            (r#"["geheim"]"#.to_owned(), "it is not a JSON object"),
            (r#"{"geheim": "geheim"}"#.to_owned(), "`reasoning` is missing"),
            (r#"{"reasoning": " "}"#.to_owned(), "`reasoning` is missing"),
            (r#"{"reasoning": ["geheim"]}"#.to_owned(), "`reasoning` must be a string"),
            (r#"{"reasoning": "x", "lighting": {"geheim": 1}}"#.to_owned(), "`lighting` must be a string"),
            (long, "`lighting` has more than 2000 characters"),
        ] {
            let found = parse(&said).unwrap_err();
            assert_eq!(found.to_string(), fault);
            assert!(!found.is_final());
        }
        let exactly = json!({"reasoning": "长".repeat(MAX_CHARS)}).to_string();
        assert!(parse(&exactly).is_ok());
    }

    #[test]
    fn what_was_cut_is_told_so_unless_it_is_whole() {
        let said = |text: &str| Said { text: text.to_owned(), is_cut: true };
        assert!(matches!(read(&said(r#"{"reasoning": "x"#)), Err(Fault::Cut)));
        assert!(read(&said("{\"reasoning\": \"x\"}\n\n\n")).is_ok());
        assert!(matches!(read(&said("{}")), Err(Fault::NoReason)));
    }

    #[test]
    fn thoughts_and_fences_are_taken_off() {
        let answer = r#"{"reasoning": "```x``` <think>"}"#;
        for said in [
            answer.to_owned(),
            format!("\n\n{answer}  "),
            format!("```json\n{answer}\n```"),
            format!("```\n{answer}```\n"),
            format!("<think>{{\"reasoning\": \"no\"}}</think>\n{answer}"),
            format!("<think>\nhm\n</think>\n\n```JSON\r\n{answer}\r\n```"),
        ] {
            let read = parse(&said).unwrap_or_else(|fault| panic!("{said}: {fault}"));
            assert_eq!(read.reasoning, "```x``` <think>");
        }
        for wrong in ["<think>never done", "```json", "``````", "Here you are: {}"] {
            assert!(matches!(parse(wrong), Err(Fault::NotJson(_))), "{wrong}");
        }
    }

    #[test]
    fn instructions_are_no_suggestion_in_whatever_member() {
        let sentence =
            "You are the director's assistant of a studio that turns one still picture into a short video.";
        let (one, other) = sentence.split_at(30);
        for said in [
            json!({"reasoning": sentence}),
            json!({"reasoning": "好", "motion_prompt": sentence.to_uppercase()}),
            json!({"motion_prompt": one, "reasoning": other}),
            json!({"lighting": 1, "reasoning": sentence.repeat(40)}),
        ] {
            let fault = parse(&said.to_string()).unwrap_err();
            assert!(matches!(fault, Fault::Leak) && fault.is_final(), "{fault}");
        }
        // What is dropped isn't shown either.
        assert!(parse(&json!({"prompt": sentence, "reasoning": "好"}).to_string()).is_ok());
    }
}
