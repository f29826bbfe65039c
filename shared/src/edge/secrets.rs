//! The secrets that a process was started with, and how long they are good.

use std::{collections::BTreeMap, env};

use futures_util::future::try_join_all;

use crate::service::secrets::{SecretError, SecretStore};

/// The variables that hold the ARN of a secret.
const ARNS: [&str; 4] = ["MONGODB_URI_ARN", "AUTH_SECRET_ARN", "VIDEO_VENDOR_KEY_ARN", "CHAT_KEY_ARN"];

/// The texts of the secrets that the environment names, by the variable that does.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(BTreeMap<&'static str, String>);

impl Secrets {
    /// Fetches all of them, side by side. A variable that is empty names none, and stands for an empty text.
    pub async fn fetch(store: &SecretStore) -> Result<Self, SecretError> {
        let named = ARNS.into_iter().filter_map(|name| Some((name, env::var(name).ok()?)));
        let fetched = named.map(|(name, arn)| async move {
            let text = if arn.is_empty() { String::new() } else { store.text(&arn).await? };
            Ok::<_, SecretError>((name, text))
        });
        Ok(Self(try_join_all(fetched).await?.into_iter().collect()))
    }

    /// The text of the secret that `name` names, where the environment has such a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
