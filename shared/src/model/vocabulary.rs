//! What the studio's words mean to a video model: `vocabulary.csv`, which whoever knows the product may change in a spreadsheet.
//!
//! Its columns: the parameter, the choice as the form says it, the choice in a Chinese and in an English prompt, and the movement
//! as Kling's own camera control takes it, where it has such a one (`docs/vendors.md`).

use std::sync::LazyLock;

use serde::Deserialize;

static TABLE: &str = include_str!("vocabulary.csv");

/// A choice of the form, in the words of video models.
#[derive(Debug, Deserialize)]
pub struct Phrase {
    /// The parameter, such as `camera_movement`.
    pub parameter: String,
    /// The choice, such as 推进.
    pub choice: String,
    /// In a Chinese prompt.
    pub chinese: String,
    /// In an English prompt.
    pub english: String,
    /// As `axis=amount` of Kling's camera control; empty where it has none.
    pub kling_camera: String,
}

/// All phrases, in the order of the table.
pub fn vocabulary() -> &'static [Phrase] {
    static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
        // The table is part of the program, and a test reads every row of it.
        csv::Reader::from_reader(TABLE.as_bytes()).deserialize().filter_map(Result::ok).collect()
    });
    &PHRASES
}

/// What `choice` of `parameter` is called, or `None` for a person's own words.
pub fn phrase(parameter: &str, choice: &str) -> Option<&'static Phrase> {
    vocabulary().iter().find(|phrase| phrase.parameter == parameter && phrase.choice == choice.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::update::PARAM_NAMES;

    #[test]
    fn every_row_of_the_table_is_whole_and_stands_once() {
        assert_eq!(vocabulary().len(), TABLE.lines().count() - 1);
        for (number, row) in vocabulary().iter().enumerate() {
            let Phrase { parameter, choice, chinese, english, kling_camera } = row;
            assert!(PARAM_NAMES.contains(&parameter.as_str()), "{row:?}");
            assert!([choice, chinese, english].iter().all(|text| !text.is_empty()), "{row:?}");
            assert!(english.is_ascii(), "{row:?}");
            assert!(kling_camera.is_empty() || parameter == "camera_movement", "{row:?}");
            let first = vocabulary()
                .iter()
                .position(|other| (&other.parameter, &other.choice) == (parameter, choice));
            assert_eq!(first, Some(number), "{choice} stands twice");
        }
    }

    #[test]
    fn a_choice_is_found_and_free_text_is_not() {
        assert_eq!(
            phrase("camera_movement", " 推进 ").map(|phrase| phrase.english.as_str()),
            Some("the camera slowly dollies in")
        );
        assert!(phrase("lighting", "推进").is_none());
        assert!(phrase("camera_movement", "像鸟一样飞过").is_none());
    }
}
