//! What the local stack gives where the user gave nothing: parameters of the template, and texts of secrets.

use std::collections::BTreeMap;

use crate::secrets::{self, MONGODB_URI, VIDEO_VENDOR_KEY};
use crate::simulation::Protocol;
use crate::stack::Config;
use crate::template::Blueprint;

/// Where on the internal port the simulated chat model is.
pub(crate) const CHAT: &str = "/simulation/chat";
/// The parameter that says which protocol the video vendor speaks.
const VIDEO_VENDOR: &str = "VideoVendor";
/// The parameter that says who is let in, and what it says where that is everybody. A deployment must say it by itself.
const AUTHENTICATION: &str = "Authentication";
const OFF: &str = "off";
/// The bounds of owners, lifted: where nobody is asked who he is, on a laptop, where nothing costs anything, all who measure and
/// try would be one owner who has had enough.
const LIFTED: [(&str, &str); 7] = [
    ("GenerationsAtOnce", "999999999"),
    ("GenerationsPerDay", "999999999"),
    ("SuggestionsPerMinute", "999999999"),
    ("UploadsPerHour", "999999999"),
    ("BytesPerOwner", "999999999999999999"),
    ("ConnectionsPerOwner", "999999999"),
    ("FramesPerSecond", "999999999"),
];

/// The texts of secrets: as given, and the key of the simulated video vendor where none was.
pub(crate) fn secret_texts(config: &Config) -> BTreeMap<String, String> {
    let mut texts = config.secrets.clone();
    if let Some(key) = config.vendor.and_then(Protocol::key) {
        texts.entry(VIDEO_VENDOR_KEY.to_owned()).or_insert_with(|| key.to_owned());
    }
    texts
}

/// The parameters: as given, and else addresses that only this stack knows, and leave for whoever reaches this machine's own
/// port. `secrets` are those of [`secret_texts`].
pub(crate) fn parameters(
    config: &Config,
    blueprint: &Blueprint,
    secrets: &BTreeMap<String, String>,
    internal_url: &str,
) -> BTreeMap<String, String> {
    let mut parameters = config.parameters.clone();
    for (variable, name) in secrets::NAMES {
        let is_there = variable == MONGODB_URI || secrets.contains_key(variable);
        if is_there && blueprint.has_parameter(name) {
            parameters.insert(name.to_owned(), secrets::arn(variable));
        }
    }
    if let Some(vendor) = config.vendor
        && blueprint.has_parameter(VIDEO_VENDOR)
    {
        parameters.insert(VIDEO_VENDOR.to_owned(), vendor.to_string());
    }
    let video = simulated_vendor(config, blueprint).map(Protocol::path);
    for (name, path) in [("VideoVendorUrl", video), ("ChatUrl", Some(CHAT))] {
        let is_empty = blueprint.value(name, &parameters).is_none_or(|value| value.is_empty());
        if let Some(path) = path
            && blueprint.has_parameter(name)
            && is_empty
        {
            parameters.insert(name.to_owned(), format!("{internal_url}{path}"));
        }
    }
    if blueprint.has_parameter(AUTHENTICATION) && !parameters.contains_key(AUTHENTICATION) {
        parameters.insert(AUTHENTICATION.to_owned(), OFF.to_owned());
        for (bound, value) in LIFTED.into_iter().filter(|(bound, _)| blueprint.has_parameter(bound)) {
            parameters.entry(bound.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    parameters
}

/// The simulation that takes the place of the video vendor. Who names a real vendor by the parameter wants the real one.
fn simulated_vendor(config: &Config, blueprint: &Blueprint) -> Option<Protocol> {
    let named = blueprint.value(VIDEO_VENDOR, &config.parameters).unwrap_or_default();
    let is_plain = named.is_empty() || named == Protocol::Plain.name();
    config.vendor.or_else(|| is_plain.then_some(Protocol::Plain))
}

/// Whether nobody is asked for a token.
pub(crate) fn let_in_everybody(parameters: &BTreeMap<String, String>) -> bool {
    parameters.get(AUTHENTICATION).is_some_and(|who| who == OFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::KLING_KEY;

    const TEMPLATE: &str = "
Parameters:
  VideoVendor: { Type: String, Default: plain }
  VideoVendorUrl: { Type: String, Default: \"\" }
  VideoVendorKeyArn: { Type: String, Default: \"\" }
Resources: {}
";

    struct Project {
        _directory: tempfile::TempDir,
        blueprint: Blueprint,
        config: Config,
    }

    fn project() -> Project {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("template.yaml"), TEMPLATE).unwrap();
        let config = Config::of_project(directory.path()).unwrap();
        Project { blueprint: Blueprint::read(&config.template).unwrap(), config, _directory: directory }
    }

    impl Project {
        fn given(&self) -> BTreeMap<String, String> {
            parameters(&self.config, &self.blueprint, &secret_texts(&self.config), "http://in:1")
        }

        fn set(&mut self, name: &str, value: &str) {
            self.config.parameters.insert(name.to_owned(), value.to_owned());
        }
    }

    #[test]
    fn the_plain_simulation_is_there_where_nobody_is_named() {
        let mut project = project();
        let given = project.given();
        assert_eq!(given["VideoVendorUrl"], "http://in:1/simulation/vendor");
        assert!(!given.contains_key("VideoVendorKeyArn"));
        project.set("VideoVendor", "ark");
        assert!(!project.given().contains_key("VideoVendorUrl"), "the real one has an address of its own");
        project.set("VideoVendor", "plain");
        project.set("VideoVendorUrl", "https://vendor.example");
        assert_eq!(project.given()["VideoVendorUrl"], "https://vendor.example");
    }

    #[test]
    fn a_simulated_vendor_comes_with_its_address_and_key() {
        let mut project = project();
        project.config.vendor = Some(Protocol::Kling);
        let given = project.given();
        assert_eq!(given["VideoVendor"], "kling");
        assert_eq!(given["VideoVendorUrl"], "http://in:1/simulation/kling");
        assert_eq!(given["VideoVendorKeyArn"], secrets::arn(VIDEO_VENDOR_KEY));
        assert_eq!(secret_texts(&project.config)[VIDEO_VENDOR_KEY], KLING_KEY);
        project.config.secrets.insert(VIDEO_VENDOR_KEY.to_owned(), "mine".to_owned());
        assert_eq!(secret_texts(&project.config)[VIDEO_VENDOR_KEY], "mine");
    }
}
