use mongodb::bson::doc;

use super::{Workspaces, alive, moved_forward};
use crate::{
    model::{CollaborationEntry, Owner, Timestamp, WorkspaceId},
    service::database::{DatabaseError, date, literal},
};

/// How many exchanges with the AI a workspace keeps (contract §2).
const KEPT_ENTRIES: i32 = 50;

impl Workspaces {
    /// Appends an exchange with the AI, and drops the oldest beyond 50. The new `updated_at`, or `None` where there is
    /// no such workspace.
    pub async fn add_suggestions(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        entry: &CollaborationEntry,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let suggestions = &entry.suggestions;
        let mut proposed = doc! {};
        for (name, value) in [
            ("camera_movement", &suggestions.camera_movement),
            ("shot_type", &suggestions.shot_type),
            ("lighting", &suggestions.lighting),
            ("motion_prompt", &suggestions.motion_prompt),
        ] {
            if let Some(value) = value {
                proposed.insert(name, value);
            }
        }
        proposed.insert("reasoning", &suggestions.reasoning);
        let entry = doc! {
            "user_input": &entry.user_input,
            "suggestions": proposed,
            "created_at": date(entry.created_at),
        };
        let append = doc! {"$set": {
            "ai_collaboration": {
                "$slice": [{"$concatArrays": ["$ai_collaboration", [literal(entry)]]}, -KEPT_ENTRIES]
            },
            "updated_at": moved_forward(),
        }};
        self.change(alive(owner, id), append).await
    }
}
