//! What the simulated model suggests: the same words, the same suggestion.

use serde_json::{Map, Value};

/// Words, and the value that they suggest. The first row with a word of the input counts.
type Rules = &'static [(&'static [&'static str], &'static str)];

const CAMERA: Rules = &[
    (&["拉远", "zoom out"], "拉远"),
    (&["推进", "靠近", "拉近", "zoom in"], "推进"),
    (&["平移", "横移", "pan"], "平移"),
    (&["跟随", "跟拍", "follow"], "跟随"),
    (&["升起", "俯视", "航拍", "crane"], "升降"),
    (&["固定", "静止", "static"], "固定"),
    (&["运镜", "环绕", "旋转", "orbit"], "环绕"),
];

const SHOT: Rules = &[
    (&["特写", "表情", "细节", "close-up"], "特写"),
    (&["近景"], "近景"),
    (&["中景", "半身"], "中景"),
    (&["全景", "全身"], "全景"),
    (&["远景", "风景", "wide"], "远景"),
];

const LIGHTING: Rules = &[
    (&["夕阳", "黄昏", "日落", "sunset"], "黄金时刻"),
    (&["夜", "霓虹", "night"], "夜景霓虹"),
    (&["逆光", "剪影"], "逆光"),
    (&["柔", "温馨", "soft"], "柔光"),
    (&["光", "light"], "自然光"),
];

const MOTION: Rules = &[
    (&["转身", "回头"], "人物缓缓转身看向镜头"),
    (&["走", "散步", "walk"], "人物向前缓步行走"),
    (&["跑", "奔", "run"], "人物奋力奔跑，衣角飞扬"),
    (&["风", "飘", "wind"], "微风吹动头发与衣角"),
    (&["水", "海", "浪", "wave"], "水面波光粼粼，浪花轻轻拍岸"),
    (&["动作", "动起来", "动态"], "主体自然地动起来，节奏舒缓"),
];

fn choose(rules: Rules, text: &str) -> Option<&'static str> {
    rules.iter().find(|(words, _)| words.iter().any(|word| text.contains(word))).map(|&(_, value)| value)
}

/// What `user_input` makes of the `current` parameters. That a picture was seen is said too.
pub(super) fn suggest(user_input: &str, current: &Value, sees_picture: bool) -> Map<String, Value> {
    let text = user_input.to_lowercase();
    let mut suggestions = Map::new();
    let mut reasons = Vec::new();
    for (name, label, rules) in [
        ("camera_movement", "运镜", CAMERA),
        ("shot_type", "景别", SHOT),
        ("lighting", "光线", LIGHTING),
        ("motion_prompt", "动作", MOTION),
    ] {
        let Some(value) = choose(rules, &text) else { continue };
        reasons.push(match current[name].as_str() {
            Some(old) if old == value => format!("{label}保持「{value}」"),
            Some(old) if !old.is_empty() => format!("{label}由「{old}」改为「{value}」"),
            _ => format!("{label}选用「{value}」"),
        });
        suggestions.insert(name.to_owned(), value.into());
    }
    if suggestions.is_empty() {
        suggestions.insert("camera_movement".to_owned(), "推进".into());
        reasons.push("缓慢推进能突出主体，适合大多数画面".to_owned());
    }
    let seen = if sees_picture { "画面和" } else { "" };
    let reasoning = format!("根据{seen}您的描述：{}。", reasons.join("，"));
    suggestions.insert("reasoning".to_owned(), reasoning.into());
    suggestions
}
