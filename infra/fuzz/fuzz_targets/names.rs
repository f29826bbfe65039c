//! Names, addresses, ids and cursors that a client hands in: what is accepted is what this system could have written, to the letter,
//! and safe in a key and in an address.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use shared::model::{
    GenerationId, ImageKind, ImageName, Owner, OwnerKey, SignedQuery, VideoName, WorkspaceId,
};
use shared::service::workspaces::Cursor;

fuzz_target!(|text: &str| {
    written_as_read::<ImageName>(text);
    written_as_read::<VideoName>(text);
    written_as_read::<OwnerKey>(text);
    written_as_read::<SignedQuery>(text);
    written_as_read::<WorkspaceId>(text);
    written_as_read::<GenerationId>(text);
    written_as_read::<Owner>(text);
    if let Ok(cursor) = Cursor::parse(text) {
        assert_eq!(cursor.encode(), text);
    }
    if let Ok(name) = text.parse::<ImageName>() {
        check_name(name.as_str());
    }
    if let Ok(name) = text.parse::<VideoName>() {
        check_name(name.as_str());
        assert_eq!(VideoName::from_url(&name.url()).as_ref(), Ok(&name));
    }
    if let Ok(name) = ImageName::from_image_path(text) {
        assert_eq!(name.image_path(), text);
    }
    if let Ok(name) = ImageName::from_image_url(text) {
        let rest = text.strip_prefix(&name.image_url()).expect("it begins with its name");
        let query = rest.strip_prefix('?').map(str::parse::<SignedQuery>);
        assert!(rest.is_empty() || query.is_some_and(|query| query.is_ok()), "{text}");
    }
    if let Ok(owner) = text.parse::<Owner>() {
        assert_ne!(owner, Owner::default());
        assert_ne!(owner.key(), Owner::default().key());
        written_as_read::<OwnerKey>(&owner.key().to_string());
    }
    if let Some(kind) = ImageKind::from_content_type(text) {
        assert_eq!(ImageKind::from_content_type(kind.content_type()), Some(kind));
    }
});

fn written_as_read<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

fn check_name(name: &str) {
    assert!(name.len() <= 140 && !name.starts_with('.') && !name.contains(".."));
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)), "{name}");
}
