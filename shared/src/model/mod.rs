//! What is true without any I/O. A value of these types is valid: it was checked when it was built.

mod describe;
mod event;
mod frame;
mod hex;
mod image;
mod image_header;
mod invalid;
mod members;
mod owner;
mod sender;
mod signed;
mod suggestion;
mod timestamp;
mod update;
mod value;
mod video;
mod vocabulary;
mod workspace;

pub use describe::describe;
pub use event::{Answer, ErrorCode, Event};
pub use frame::{Command, Frame, Refusal, RejectedFrame};
pub use hex::hex;
pub use image::{ImageKind, ImageName, MAX_IMAGE_BYTES};
pub use image_header::{ImageBounds, ImageHeader, ImageHeaderError};
pub use invalid::InvalidData;
pub use members::Members;
pub use owner::{Identity, Owner, OwnerKey};
pub use sender::{ClientKey, RequestKey, Sender};
pub use signed::SignedQuery;
pub use suggestion::{CollaborationEntry, Suggestions, UserInput};
pub use timestamp::Timestamp;
pub use update::{FieldUpdates, UpdatePath};
pub use value::LeafValue;
pub use video::{GenerationId, MotionParams, Video, VideoStatus};
pub use vocabulary::{Phrase, phrase, vocabulary};
pub use workspace::{Created, OrderIndex, ParseWorkspaceIdError, Workspace, WorkspaceId};
