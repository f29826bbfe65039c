use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{ImageName, InvalidData, LeafValue};

/// The parameters of a shot in `form_data`: strings of at most [`MAX_PARAM_CHARS`] characters.
pub(super) const PARAM_NAMES: [&str; 4] = ["camera_movement", "shot_type", "lighting", "motion_prompt"];
/// The longest parameter, in characters (contract §6).
pub(super) const MAX_PARAM_CHARS: usize = 2_000;

const FORM: &str = "form_data";
const MAX_NAMES: usize = 4;
const MAX_NAME_BYTES: usize = 64;

/// A dotted path that a client may write: `image_path`, `image_url`, or `form_data.` and one to four names of
/// `[A-Za-z0-9_]{1,64}` (contract §3, §6). Nothing in it means anything to MongoDB but the dots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdatePath(String);

impl UpdatePath {
    /// The path with its dots.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The paths between `form_data` and this one, both excluded, the shortest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('.').skip(1).map(|(dot, _)| &self.0[..dot])
    }
}

impl fmt::Display for UpdatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `updates` of a frame: leaves by path. Never empty, and no path is the parent of another.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldUpdates(BTreeMap<UpdatePath, LeafValue>);

impl FieldUpdates {
    /// Reads the `updates` of a frame, and takes objects apart into their leaves.
    pub fn parse(updates: &RawValue) -> Result<Self, InvalidData> {
        let written: BTreeMap<String, &RawValue> = serde_json::from_str(updates.get())
            .map_err(|_| InvalidData::new("updates", "updates 必须是 JSON 对象"))?;
        if written.is_empty() {
            return Err(InvalidData::new("updates", "updates 不能为空"));
        }
        for path in written.keys() {
            let ancestor =
                path.match_indices('.').map(|(dot, _)| &path[..dot]).find(|a| written.contains_key(*a));
            if let Some(ancestor) = ancestor {
                return Err(InvalidData::at_path(
                    path,
                    format!("{ancestor} 和 {path} 不能在同一次更新中出现"),
                ));
            }
        }
        let mut leaves = BTreeMap::new();
        for (path, value) in &written {
            match path.as_str() {
                "image_path" => {
                    put_image(&mut leaves, path, value, ImageName::from_image_path, ImageName::image_path)?;
                }
                "image_url" => {
                    put_image(&mut leaves, path, value, ImageName::from_image_url, ImageName::image_url)?;
                }
                FORM if !value.get().starts_with('{') => {
                    return Err(InvalidData::at_path(path, "form_data 必须是 JSON 对象"));
                }
                FORM => put_form(&mut leaves, path, value)?,
                _ => match path.strip_prefix("form_data.") {
                    Some(names) if names.split('.').all(is_name) => put_form(&mut leaves, path, value)?,
                    _ => return Err(InvalidData::at_path(path, format!("不允许更新 {path}"))),
                },
            }
        }
        Ok(Self(leaves))
    }

    /// The leaves, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&UpdatePath, &LeafValue)> {
        self.0.iter()
    }

    /// Only those leaves whose path `keep` says yes to; they may be none.
    pub fn retain(&mut self, mut keep: impl FnMut(&UpdatePath) -> bool) {
        self.0.retain(|path, _| keep(path));
    }

    /// The same leaves in parts, of which each takes at most `max_bytes` as JSON, as long as no single leaf takes more.
    pub fn parts(&self, max_bytes: usize) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut part = BTreeMap::new();
        let mut used = 0;
        for (path, value) in &self.0 {
            // Quotes, colon and comma; paths need no escapes.
            let bytes = path.0.len() + value.as_json().to_string().len() + 4;
            if used + bytes > max_bytes && !part.is_empty() {
                parts.push(Self(std::mem::take(&mut part)));
                used = 0;
            }
            used += bytes;
            part.insert(path.clone(), value.clone());
        }
        parts.push(Self(part));
        parts
    }

    /// The pictures that are put into the workspace, and where.
    pub fn images(&self) -> impl Iterator<Item = (&UpdatePath, ImageName)> {
        self.iter().filter_map(|(path, value)| {
            let text = value.as_json().as_str()?;
            let name = match path.as_str() {
                "image_path" => ImageName::from_image_path(text).ok(),
                "image_url" => ImageName::from_image_url(text).ok(),
                _ => None,
            };
            Some((path, name?))
        })
    }

    /// With what `address` says in place of an `image_url`: how it is shown is not how it is stored.
    pub fn show_image_url(&mut self, address: impl FnOnce(&ImageName) -> String) {
        let leaf = self.0.get_mut(&UpdatePath("image_url".to_owned()));
        let name = leaf.as_ref().and_then(|leaf| leaf.as_json().as_str());
        if let (Some(name), Some(leaf)) = (name.and_then(|url| ImageName::from_image_url(url).ok()), leaf) {
            *leaf = LeafValue::text(address(&name));
        }
    }

    /// Whether no leaf is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for FieldUpdates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, value) in &self.0 {
            map.serialize_entry(path.as_str(), value)?;
        }
        map.end()
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn put_image<E>(
    leaves: &mut BTreeMap<UpdatePath, LeafValue>,
    path: &str,
    value: &RawValue,
    parse: impl Fn(&str) -> Result<ImageName, E>,
    write: impl Fn(&ImageName) -> String,
) -> Result<(), InvalidData> {
    let mut leaf = LeafValue::parse(value).map_err(|fault| InvalidData::at_path(path, fault))?;
    if !leaf.as_json().is_null() {
        let name = leaf.as_json().as_str().and_then(|text| parse(text).ok());
        let name =
            name.ok_or_else(|| InvalidData::at_path(path, format!("{path} 必须是上传接口返回的值或 null")))?;
        // Without the signature that it may have come with.
        leaf = LeafValue::text(write(&name));
    }
    leaves.insert(UpdatePath(path.to_owned()), leaf);
    Ok(())
}

/// Puts what `value` at `path`, which is `form_data` or below it, stands for.
fn put_form(
    leaves: &mut BTreeMap<UpdatePath, LeafValue>,
    path: &str,
    value: &RawValue,
) -> Result<(), InvalidData> {
    let names: Vec<&str> = path.split('.').skip(1).collect();
    if names.len() > MAX_NAMES {
        return Err(InvalidData::at_path(path, format!("路径最多 {MAX_NAMES} 层")));
    }
    if !value.get().starts_with('{') {
        let leaf = LeafValue::parse(value).map_err(|fault| InvalidData::at_path(path, fault))?;
        check_form_leaf(path, &names, &leaf)?;
        leaves.insert(UpdatePath(path.to_owned()), leaf);
        return Ok(());
    }
    let children: BTreeMap<String, &RawValue> =
        serde_json::from_str(value.get()).map_err(|_| InvalidData::at_path(path, "不是有效的 JSON 对象"))?;
    if children.is_empty() {
        return Err(InvalidData::at_path(path, "对象不能为空"));
    }
    for (name, child) in children {
        let child_path = format!("{path}.{name}");
        if !is_name(&name) {
            return Err(InvalidData::at_path(child_path, "字段名只能包含 1 到 64 个字母、数字和下划线"));
        }
        put_form(leaves, &child_path, child)?;
    }
    Ok(())
}

fn check_form_leaf(path: &str, names: &[&str], leaf: &LeafValue) -> Result<(), InvalidData> {
    let json = leaf.as_json();
    match names {
        [first, rest @ ..] if PARAM_NAMES.contains(first) => {
            let fits = json.as_str().is_some_and(|text| text.chars().count() <= MAX_PARAM_CHARS);
            if !rest.is_empty() || !fits {
                let message = format!("{first} 必须是不超过 {MAX_PARAM_CHARS} 个字符的字符串");
                return Err(InvalidData::at_path(path, message));
            }
        }
        ["checkboxes"] => return Err(InvalidData::at_path(path, "checkboxes 必须是 JSON 对象")),
        ["checkboxes", ..] if !json.is_boolean() => {
            return Err(InvalidData::at_path(path, "checkboxes 的值必须是布尔值"));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(updates: &Value) -> Result<Value, InvalidData> {
        let raw = RawValue::from_string(updates.to_string()).unwrap();
        FieldUpdates::parse(&raw).map(|updates| serde_json::to_value(updates).unwrap())
    }

    fn fault(updates: &Value) -> String {
        let fault = parse(updates).expect_err(&updates.to_string());
        fault.path.unwrap_or(fault.field)
    }

    #[test]
    fn objects_stand_for_their_leaves() {
        assert_eq!(
            parse(
                &json!({"form_data": {"checkboxes": {"a": true}, "x": {"y": {"z": [1]}}}, "image_path": null})
            ),
            Ok(json!({"form_data.checkboxes.a": true, "form_data.x.y.z": [1], "image_path": null}))
        );
    }

    #[test]
    fn only_the_form_and_the_picture_can_be_written() {
        for path in [
            "_id",
            "video",
            "video.status",
            "updated_at",
            "created_at",
            "order_index",
            "form_data.",
            "form_data.a b",
            "form_data.$x",
            "form_data..x",
            "form_data.x.",
            "form_dataX.y",
            "image_path.x",
            "owner",
            "",
            ".",
            "form_data.é",
        ] {
            assert_eq!(fault(&json!({path: "x"})), path);
        }
        assert_eq!(fault(&json!({})), "updates");
        assert_eq!(fault(&json!([1])), "updates");
        assert_eq!(fault(&json!({"form_data.x": {"b.c": 1}})), "form_data.x.b.c");
        assert_eq!(fault(&json!({(format!("form_data.{}", "a".repeat(65))): 1})).len(), 75);
    }

    #[test]
    fn four_names_deep_and_no_deeper() {
        assert!(parse(&json!({"form_data.a.b.c.d": 1})).is_ok());
        assert!(parse(&json!({"form_data.a": {"b": {"c": {"d": 1}}}})).is_ok());
        assert_eq!(fault(&json!({"form_data.a.b.c.d.e": 1})), "form_data.a.b.c.d.e");
        assert_eq!(fault(&json!({"form_data": {"a": {"b": {"c": {"d": {"e": 1}}}}}})), "form_data.a.b.c.d.e");
    }

    #[test]
    fn a_parent_and_its_child_exclude_each_other() {
        assert_eq!(fault(&json!({"form_data.a": {"b": 1}, "form_data.a.c": 2})), "form_data.a.c");
        assert_eq!(fault(&json!({"form_data": {"a": 1}, "form_data.b": 2})), "form_data.b");
        assert!(parse(&json!({"form_data.a": 1, "form_data.ab": 2, "form_data.a_": 3})).is_ok());
    }

    #[test]
    fn objects_without_leaves_are_refused() {
        assert_eq!(fault(&json!({"form_data.checkboxes": {}})), "form_data.checkboxes");
        assert_eq!(fault(&json!({"form_data": {"a": 1, "b": {}}})), "form_data.b");
        assert_eq!(fault(&json!({"form_data": null})), "form_data");
        assert_eq!(fault(&json!({"form_data": []})), "form_data");
    }

    #[test]
    fn known_names_keep_their_types() {
        assert!(parse(&json!({"form_data.motion_prompt": "字".repeat(2_000)})).is_ok());
        assert_eq!(fault(&json!({"form_data.motion_prompt": "字".repeat(2_001)})), "form_data.motion_prompt");
        assert_eq!(fault(&json!({"form_data.lighting": null})), "form_data.lighting");
        assert_eq!(fault(&json!({"form_data.lighting.x": "a"})), "form_data.lighting.x");
        assert_eq!(fault(&json!({"form_data.checkboxes": true})), "form_data.checkboxes");
        assert_eq!(fault(&json!({"form_data.checkboxes.a": "x"})), "form_data.checkboxes.a");
        assert_eq!(fault(&json!({"form_data.checkboxes.a": null})), "form_data.checkboxes.a");
        assert!(parse(&json!({"form_data.checkboxes.a.b": false})).is_ok());
    }

    #[test]
    fn pictures_are_names_of_uploads_or_null() {
        assert!(parse(&json!({"image_path": "uploads/0123456789abcdef.jpg", "image_url": null})).is_ok());
        assert!(parse(&json!({"image_url": "/api/uploads/0123456789abcdef.jpg"})).is_ok());
        let signed =
            format!("/api/uploads/0123456789abcdef.jpg?owner=default&expires=1&signature={}", "A".repeat(43));
        assert_eq!(
            parse(&json!({"image_url": signed})),
            Ok(json!({"image_url": "/api/uploads/0123456789abcdef.jpg"}))
        );
        for bad in
            [json!("https://x/y.jpg"), json!("uploads/../x.jpg"), json!(1), json!(["x"]), json!({"a": 1})]
        {
            assert_eq!(fault(&json!({"image_path": bad})), "image_path");
            assert_eq!(fault(&json!({"image_url": bad})), "image_url");
        }
    }

    #[test]
    fn only_a_picture_is_shown_otherwise_than_it_is_stored() {
        let shown = |updates: Value| {
            let raw = RawValue::from_string(updates.to_string()).unwrap();
            let mut updates = FieldUpdates::parse(&raw).unwrap();
            updates.show_image_url(|name| format!("signed {name}"));
            serde_json::to_value(updates).unwrap()
        };
        let url = "/api/uploads/0123456789abcdef.jpg";
        assert_eq!(
            shown(json!({"image_url": url, "form_data.image_url": url})),
            json!({"image_url": "signed 0123456789abcdef.jpg", "form_data.image_url": url})
        );
        assert_eq!(shown(json!({"image_url": null})), json!({"image_url": null}));
    }

    #[test]
    fn ancestors_are_those_between_the_form_and_the_leaf() {
        let ancestors =
            |path: &str| UpdatePath(path.into()).ancestors().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(ancestors("form_data.a.b.c"), ["form_data.a", "form_data.a.b"]);
        assert!(ancestors("form_data.a").is_empty());
        assert!(ancestors("image_path").is_empty());
    }
}
