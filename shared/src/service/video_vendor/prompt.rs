//! The prompt that is made of a form: the person's own words first, then the choices in the words of `vocabulary.csv`.

use super::protocol::{Picture, PictureSource};
use crate::model::{InvalidData, MotionParams, Phrase, phrase};

/// The language of a prompt.
#[derive(Clone, Copy)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    const fn labels(self) -> [&'static str; 3] {
        match self {
            Self::Chinese => ["镜头：", "景别：", "光线："],
            Self::English => ["Camera: ", "Shot: ", "Lighting: "],
        }
    }

    const fn joint(self) -> &'static str {
        match self {
            Self::Chinese => "；",
            Self::English => ". ",
        }
    }

    fn of(self, phrase: &Phrase) -> &str {
        match self {
            Self::Chinese => &phrase.chinese,
            Self::English => &phrase.english,
        }
    }
}

/// `params` in one text; empty where nothing is set. Words that are no choice of the studio's go in as they are.
pub(super) fn prompt(params: &MotionParams, language: Language) -> String {
    let given = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_owned();
    let choices = [
        ("camera_movement", given(&params.camera_movement)),
        ("shot_type", given(&params.shot_type)),
        ("lighting", given(&params.lighting)),
    ];
    let choices = choices.iter().zip(language.labels()).filter(|((_, choice), _)| !choice.is_empty());
    let choices = choices.map(|((parameter, choice), label)| {
        let words = phrase(parameter, choice).map_or(choice.as_str(), |phrase| language.of(phrase));
        format!("{label}{words}")
    });
    let choices = choices.collect::<Vec<_>>().join(language.joint());
    let motion = given(&params.motion_prompt);
    [motion, choices].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// That a prompt is not too long for the vendor, by what it counts.
pub(super) fn check_length(length: usize, most: usize) -> Result<(), InvalidData> {
    if length <= most {
        return Ok(());
    }
    let message = format!("当前的视频服务只接受 {most} 个字符以内的描述，现在有 {length} 个，请缩短描述");
    Err(InvalidData::new("motion_prompt", message))
}

/// The picture as a data URI, or its address.
pub(super) fn picture_uri(picture: &Picture) -> String {
    match &picture.source {
        PictureSource::Address(address) => address.clone(),
        PictureSource::Bytes(bytes) => picture.header.kind.data_uri(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(camera: &str, shot: &str, lighting: &str, motion: &str) -> MotionParams {
        let given = |text: &str| Some(text.to_owned());
        MotionParams {
            camera_movement: given(camera),
            shot_type: given(shot),
            lighting: given(lighting),
            motion_prompt: given(motion),
        }
    }

    #[test]
    fn choices_are_translated_and_free_words_are_kept() {
        let all = params("推进", "特写", "逆光", "人物转身");
        assert_eq!(
            prompt(&all, Language::Chinese),
            "人物转身\n镜头：镜头缓慢向前推进；景别：特写；光线：逆光，主体边缘发亮"
        );
        assert_eq!(
            prompt(&all, Language::English),
            "人物转身\nCamera: the camera slowly dollies in. Shot: close-up. Lighting: backlight with a bright rim around the subject"
        );
        assert_eq!(prompt(&params("像鸟一样", "", " ", ""), Language::Chinese), "镜头：像鸟一样");
        assert_eq!(prompt(&MotionParams::default(), Language::English), "");
    }

    #[test]
    fn what_is_too_long_is_said_with_both_numbers() {
        assert!(check_length(10, 10).is_ok());
        let fault = check_length(11, 10).unwrap_err();
        assert!(fault.message.contains("10") && fault.message.contains("11"), "{}", fault.message);
    }
}
