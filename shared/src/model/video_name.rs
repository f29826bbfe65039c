use std::{fmt, str::FromStr};

use super::GenerationId;

/// The public name of a kept video: `<stem>.mp4`, the stem as that of a picture. It can be in a key and in an address as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoName(String);

/// Not a name that this system could have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a video")]
pub struct ParseVideoNameError;

impl VideoName {
    const URL_PREFIX: &'static str = "/api/videos/";
    const SUFFIX: &'static str = ".mp4";

    /// The name of the video of a generation, whose id nobody can guess: whoever makes the video twice makes the same.
    pub fn of(generation: &GenerationId) -> Self {
        Self(format!("{generation}{}", Self::SUFFIX))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `/api/videos/<name>` (contract §7).
    pub fn url(&self) -> String {
        format!("{}{}", Self::URL_PREFIX, self.0)
    }

    /// The name in such an address, which is not signed.
    pub fn from_url(url: &str) -> Result<Self, ParseVideoNameError> {
        url.strip_prefix(Self::URL_PREFIX).ok_or(ParseVideoNameError)?.parse()
    }
}

impl FromStr for VideoName {
    type Err = ParseVideoNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stem = text.strip_suffix(Self::SUFFIX).ok_or(ParseVideoNameError)?;
        let is_possible = (16..=128).contains(&stem.len())
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if is_possible { Ok(Self(text.to_owned())) } else { Err(ParseVideoNameError) }
    }
}

impl fmt::Display for VideoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_has_one_name_and_other_text_is_none() {
        let generation = GenerationId::random();
        let name = VideoName::of(&generation);
        assert_eq!(VideoName::from_url(&name.url()), Ok(name.clone()));
        assert_eq!(name, VideoName::of(&generation));
        let long = format!("{}.mp4", "a".repeat(129));
        for bad in [
            "",
            ".mp4",
            "short.mp4",
            "0123456789abcdef",
            "0123456789abcdef.MP4",
            "../0123456789abcdef.mp4",
            "0123456789abc/ef.mp4",
            &long,
        ] {
            assert!(bad.parse::<VideoName>().is_err(), "{bad}");
        }
        assert!(VideoName::from_url("https://vendor.example/0123456789abcdef.mp4").is_err());
    }
}
