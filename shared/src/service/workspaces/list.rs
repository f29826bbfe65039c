use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, doc};

use super::{
    Workspaces,
    document::{Stored, shown},
};
use crate::{
    model::{Owner, Timestamp, Workspace, WorkspaceId},
    service::database::{DatabaseError, date, object_id},
};

/// Where a page of the list ends: the order of the last workspace on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    order_index: i32,
    created_at: Timestamp,
    id: WorkspaceId,
}

/// Not a cursor that this system could have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct ParseCursorError;

impl Cursor {
    const BYTES: usize = 4 + 8 + 12;

    /// The cursor after `workspace`.
    pub fn after(workspace: &Workspace) -> Self {
        Self { order_index: workspace.order_index.get(), created_at: workspace.created_at, id: workspace.id }
    }

    /// The cursor in a `next_cursor`.
    pub fn parse(text: &str) -> Result<Self, ParseCursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseCursorError)?;
        let bytes: [u8; Self::BYTES] = bytes.try_into().map_err(|_| ParseCursorError)?;
        let [a, b, c, d, rest @ ..] = bytes;
        let [e, f, g, h, i, j, k, l, id @ ..] = rest;
        Ok(Self {
            order_index: i32::from_be_bytes([a, b, c, d]),
            created_at: Timestamp::from_millis(i64::from_be_bytes([e, f, g, h, i, j, k, l])),
            id: WorkspaceId::from_bytes(id),
        })
    }

    /// The cursor as `next_cursor`.
    pub fn encode(self) -> String {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend(self.order_index.to_be_bytes());
        bytes.extend(self.created_at.millis().to_be_bytes());
        bytes.extend(self.id.to_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// A part of the list, in its order.
#[derive(Debug)]
pub struct Page {
    /// What is on it.
    pub workspaces: Vec<Workspace>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl Workspaces {
    /// The owner's workspaces after `cursor`, by place, then age: at most `limit`, and only as long as `fits`, which is
    /// asked about each in turn and may change how it is shown, says so. A page is never empty while there are workspaces.
    pub async fn list(
        &self,
        owner: &Owner,
        cursor: Option<Cursor>,
        limit: Option<usize>,
        mut fits: impl FnMut(&mut Workspace) -> bool,
    ) -> Result<Page, DatabaseError> {
        let mut filter = doc! {"owner": owner.as_str(), "deleted_at": null};
        if let Some(Cursor { order_index, created_at, id }) = cursor {
            let created_at: DateTime = date(created_at);
            filter.insert(
                "$or",
                vec![
                    doc! {"order_index": {"$gt": order_index}},
                    doc! {"order_index": order_index, "created_at": {"$gt": created_at}},
                    doc! {"order_index": order_index, "created_at": created_at, "_id": {"$gt": object_id(id)}},
                ],
            );
        }
        let documents = self.documents.clone_with_type::<Stored>();
        let mut find = documents
            .find(filter)
            .sort(doc! {"order_index": 1, "created_at": 1, "_id": 1})
            .projection(shown());
        if let Some(limit) = limit {
            // One more, to know whether there is a next page.
            find = find.limit(i64::try_from(limit + 1).unwrap_or(i64::MAX));
        }
        let mut found = find.await?;
        let mut workspaces: Vec<Workspace> = Vec::new();
        while let Some(stored) = found.try_next().await? {
            let mut workspace = Workspace::from(stored);
            let is_full = limit.is_some_and(|limit| workspaces.len() >= limit) || !fits(&mut workspace);
            match workspaces.last() {
                Some(last) if is_full => {
                    let next = Some(Cursor::after(last));
                    return Ok(Page { workspaces, next });
                }
                _ => workspaces.push(workspace),
            }
        }
        Ok(Page { workspaces, next: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OrderIndex;

    #[test]
    fn a_cursor_survives_its_text() {
        let id = "00ff10a2b3c4d5e6f7081920".parse().unwrap();
        let workspace =
            Workspace::new(id, OrderIndex::from_stored(7), Timestamp::from_millis(1_766_534_400_000));
        let cursor = Cursor::after(&workspace);
        assert_eq!(Cursor::parse(&cursor.encode()), Ok(cursor));
    }

    #[test]
    fn other_text_is_no_cursor() {
        for text in ["", "x", "AAAA", "!!!!", &"A".repeat(33), &"A".repeat(31)] {
            assert_eq!(Cursor::parse(text), Err(ParseCursorError), "{text}");
        }
    }
}
