//! `template.yaml`, the one list of what exists. Nothing else in this crate knows a route, a function or a bucket.
//!
//! What the local stack cannot do it refuses by name, when it reads the file: a property that is silently ignored here
//! would be a difference from the cloud that nobody sees. Permissions, alarms, log groups and tags change nothing about
//! what a function answers, and are skipped.

mod conditions;
mod limits;
mod parameters;
mod properties;
mod resolve;
mod resources;
mod rules;
mod scalar;
pub mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use self::parameters::Parameter;
use self::resolve::Scope;
pub use self::resolve::{ACCOUNT_ID, REGION};
pub use self::resources::{
    Bucket, Cors, CorsRule, Function, HttpApi, HttpRoute, Schedule, StateMachine, Template, WebSocketApi,
    WebSocketRoute,
};
use self::rules::Rule;

/// The file as it was read: parameters have no values yet.
#[derive(Debug)]
pub struct Blueprint {
    root: PathBuf,
    file: String,
    parameters: BTreeMap<String, Parameter>,
    rules: BTreeMap<String, Rule>,
    conditions: BTreeMap<String, Value>,
    globals: Map<String, Value>,
    resources: BTreeMap<String, properties::Resource>,
}

/// A function's binary, and the crate that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Name of the binary, unique in the workspace.
    pub binary: String,
    /// Directory of the crate.
    pub directory: PathBuf,
}

impl Blueprint {
    /// Reads the template at `path`; `CodeUri` and `DefinitionUri` are relative to it.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let root = path.parent().unwrap_or(Path::new(".")).to_owned();
        let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
        Self::parse(root.canonicalize()?, &file, &text).with_context(|| format!("{file} is broken"))
    }

    /// Reads `text`, which errors call `file`; the paths in it are relative to `root`.
    pub fn parse(root: PathBuf, file: &str, text: &str) -> Result<Self> {
        let sections: properties::Sections = serde_json::from_value(yaml::parse(text)?)?;
        let mut globals = sections.globals;
        let function_globals = match globals.remove("Function") {
            Some(Value::Object(members)) => members,
            None => Map::new(),
            Some(_) => bail!("Globals.Function is no mapping"),
        };
        if let Some(name) = globals.keys().next() {
            bail!("the local stack does not know Globals.{name}");
        }
        if let Some((name, resource)) = sections.resources.iter().find(|(_, resource)| !resource.is_known()) {
            bail!("{name} has the type {}, which the local stack does not know", resource.kind);
        }
        Ok(Self {
            root,
            file: file.to_owned(),
            parameters: sections.parameters,
            rules: sections.rules,
            conditions: sections.conditions,
            globals: function_globals,
            resources: sections.resources,
        })
    }

    /// Directory of the template: the root of the project.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the template has a parameter of this name.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    /// What a parameter of text will be: as given, else by default.
    pub fn value(&self, name: &str, given: &BTreeMap<String, String>) -> Option<String> {
        given.get(name).cloned().or_else(|| self.parameters.get(name)?.default.clone())
    }

    /// Checks the values that the user gave, before anything is started.
    pub fn check(&self, given: &BTreeMap<String, String>) -> Result<()> {
        parameters::check(&self.parameters, given).map(drop)
    }

    /// The binaries that the functions need.
    pub fn packages(&self) -> Result<Vec<Package>> {
        let functions = self.resources.iter().filter(|(_, resource)| resource.kind == properties::FUNCTION);
        functions
            .map(|(name, resource)| {
                resource.package(&self.root).with_context(|| format!("{} is broken: {name}", self.file))
            })
            .collect()
    }

    /// The template with values for its parameters.
    pub fn resolve(&self, given: &BTreeMap<String, String>) -> Result<Template> {
        let values = parameters::check(&self.parameters, given)?;
        if let Some(name) = self.parameters.keys().find(|name| !values.contains_key(*name)) {
            bail!("the parameter {name} has no value: give it with --parameter {name}=…");
        }
        rules::check(&self.rules, &values)?;
        let conditions = conditions::evaluate(&self.conditions, &values)?;
        let mut kinds: BTreeMap<_, _> =
            self.resources.iter().map(|(name, resource)| (name.clone(), resource.kind.clone())).collect();
        for route in properties::generated_routes(&self.resources) {
            kinds.entry(route).or_insert_with(|| properties::ROUTE.to_owned());
        }
        let scope = Scope { parameters: values, resources: kinds, conditions };
        Template::build(self, &scope).with_context(|| format!("{} is broken", self.file))
    }
}

#[cfg(test)]
mod tests;
