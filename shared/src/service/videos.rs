//! The kept videos in S3, at `videos/<owner's key>/<name>`.

use std::{pin::pin, time::Duration};

use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use aws_types::SdkConfig;
use bytes::{Bytes, BytesMut};
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    future::{self, Either},
    stream,
};

use super::bucket::{self, StoreError, absent_or, expiring};
use crate::model::{OwnerKey, VideoName, describe};

const CONTENT_TYPE: &str = "video/mp4";
/// What a name stands for never changes.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";
/// S3 wants parts of 5 MiB at least, and 10,000 at most.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts that are sent side by side. With the one that is read they are all that a copy takes of the memory.
const PARTS_AT_ONCE: usize = 3;
/// How long a part may take, each time that it is tried: not the few seconds that other calls have.
const PART_TIME: Duration = Duration::from_secs(60);

/// A video could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// What was to be stored did not come whole.
    #[error("the video did not come whole")]
    Source(E),
    /// S3 failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The videos of all owners.
#[derive(Clone, Debug)]
pub struct Videos {
    client: Client,
    bucket: String,
}

impl Videos {
    /// Those in `bucket`.
    pub fn new(aws: &SdkConfig, bucket: String) -> Self {
        Self { client: bucket::client(aws), bucket }
    }

    /// Whether there is a video. It is there whole or not at all.
    pub async fn exists(&self, owner: &OwnerKey, name: &VideoName) -> Result<bool, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key(owner, name));
        match head.send().await {
            Ok(_) => Ok(true),
            Err(error) => Ok(absent_or::<(), _>(error)?.is_some()),
        }
    }

    /// An address at which anybody can read the video, or parts of it, for `life`. Whether there is one isn't looked at.
    pub async fn presign_get(
        &self,
        owner: &OwnerKey,
        name: &VideoName,
        life: Duration,
    ) -> Result<String, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key(owner, name));
        Ok(get.presigned(expiring(life)?).await?.uri().to_owned())
    }

    /// Removes a video. That there is none is as good.
    pub async fn remove(&self, owner: &OwnerKey, name: &VideoName) -> Result<(), StoreError> {
        self.client.delete_object().bucket(&self.bucket).key(key(owner, name)).send().await?;
        Ok(())
    }

    /// Stores a video as it comes, without ever holding more of it than some parts: its size in bytes. Until its end is stored
    /// there is none; to store it twice makes it once.
    pub async fn put<E>(
        &self,
        owner: &OwnerKey,
        name: &VideoName,
        chunks: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<u64, PutError<E>> {
        let key = key(owner, name);
        let mut parts = pin!(in_parts(chunks));
        let first = parts.try_next().await.map_err(PutError::Source)?.unwrap_or_default();
        if first.len() < PART_BYTES {
            let size = first.len() as u64;
            let put = self.client.put_object().bucket(&self.bucket).key(key);
            let put = put.content_type(CONTENT_TYPE).cache_control(CACHE_CONTROL).body(first.into());
            put.customize().config_override(patience()).send().await.map_err(StoreError::from)?;
            return Ok(size);
        }
        let upload = self.client.create_multipart_upload().bucket(&self.bucket).key(&key);
        let upload = upload.content_type(CONTENT_TYPE).cache_control(CACHE_CONTROL).send().await;
        let upload = upload.map_err(StoreError::from)?.upload_id.unwrap_or_default();
        let rest = stream::iter([Ok(first)]).chain(parts);
        let stored = self.put_parts(&key, &upload, rest).await;
        if stored.is_err() {
            // What is left otherwise is removed after a day, by the bucket.
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(&key);
            if let Err(error) = abort.upload_id(&upload).send().await {
                tracing::warn!(error = describe(&error), "parts of a video not removed");
            }
        }
        stored
    }

    async fn put_parts<E>(
        &self,
        key: &str,
        upload: &str,
        parts: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<u64, PutError<E>> {
        let uploads = parts.zip(stream::iter(1..)).map(|(part, number)| match part {
            Ok(part) => Either::Left(self.put_part(key, upload, number, part)),
            Err(error) => Either::Right(future::ready(Err(PutError::Source(error)))),
        });
        let mut done: Vec<(i32, u64, CompletedPart)> =
            uploads.buffer_unordered(PARTS_AT_ONCE).try_collect().await?;
        done.sort_by_key(|(number, _, _)| *number);
        let size = done.iter().map(|(_, size, _)| size).sum();
        let parts = done.into_iter().map(|(_, _, part)| part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(key);
        let complete = complete.upload_id(upload).multipart_upload(parts);
        complete.customize().config_override(patience()).send().await.map_err(StoreError::from)?;
        Ok(size)
    }

    async fn put_part<E>(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        part: Bytes,
    ) -> Result<(i32, u64, CompletedPart), PutError<E>> {
        let size = part.len() as u64;
        let put = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload);
        let put = put.part_number(number).body(ByteStream::from(part));
        let put = put.customize().config_override(patience()).send().await.map_err(StoreError::from)?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(put.e_tag).build();
        Ok((number, size, part))
    }
}

fn patience() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(PART_TIME)
        .operation_timeout(PART_TIME * 3)
        .build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

fn key(owner: &OwnerKey, name: &VideoName) -> String {
    format!("videos/{owner}/{name}")
}

/// `chunks` joined into parts of [`PART_BYTES`], the last of which is shorter, or of the whole where that is less.
fn in_parts<E>(chunks: impl Stream<Item = Result<Bytes, E>>) -> impl Stream<Item = Result<Bytes, E>> {
    let state = (Box::pin(chunks), BytesMut::new(), false);
    stream::try_unfold(state, |(mut chunks, mut part, mut is_over)| async move {
        while part.len() < PART_BYTES && !is_over {
            match chunks.try_next().await? {
                Some(chunk) => part.extend_from_slice(&chunk),
                None => is_over = true,
            }
        }
        if part.is_empty() {
            return Ok(None);
        }
        let rest = part.split_off(part.len().min(PART_BYTES));
        Ok(Some((part.freeze(), (chunks, rest, is_over))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sizes(chunks: &[usize]) -> Vec<usize> {
        let chunks = chunks.iter().map(|size| Ok::<_, ()>(Bytes::from(vec![7; *size])));
        in_parts(stream::iter(chunks)).map_ok(|part| part.len()).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn parts_are_full_but_for_the_last() {
        const FULL: usize = PART_BYTES;
        assert_eq!(sizes(&[]).await, [0; 0]);
        assert_eq!(sizes(&[1, 2, 3]).await, [6]);
        assert_eq!(sizes(&[FULL]).await, [FULL]);
        assert_eq!(sizes(&[FULL - 1, 2]).await, [FULL, 1]);
        assert_eq!(sizes(&[2 * FULL + 5, 5]).await, [FULL, FULL, 10]);
    }

    #[tokio::test]
    async fn an_error_ends_the_parts() {
        let chunks = stream::iter([Ok(Bytes::from_static(b"x")), Err("cut"), Ok(Bytes::from_static(b"y"))]);
        let parts: Vec<_> = in_parts(chunks).collect().await;
        assert_eq!(parts, [Err("cut")]);
    }
}
