//! The pictures in S3. The key is `uploads/<owner's key>/<name>`; the contract's `uploads/<name>` is the public name.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    presigning::PresignedRequest,
    primitives::{AggregatedBytes, ByteStream},
};
use aws_types::SdkConfig;
use bytes::Bytes;

use super::bucket::{self, StoreError, absent_or, expiring};
use crate::model::{ImageHeader, ImageHeaderError, ImageName, MAX_IMAGE_BYTES, OwnerKey, Timestamp};

/// How long a browser may take to begin its upload.
const PUT_LIFE: Duration = Duration::from_secs(15 * 60);

/// In which the header of nearly every picture is complete.
const HEADER_BYTES: u64 = 64 * 1024;

/// The `If-None-Match` that lets a picture be stored once.
const ABSENT: &str = "*";

/// A picture as it is stored.
#[derive(Debug)]
pub struct StoredImage {
    /// Its entity tag, with the quotes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    body: ByteStream,
}

impl StoredImage {
    /// The bytes of it.
    pub async fn bytes(self) -> Result<Bytes, StoreError> {
        read(self.body).await
    }
}

/// Permission to upload one picture straight to the store.
#[derive(Debug)]
pub struct PresignedUpload {
    /// Where to.
    pub url: String,
    /// The headers that the browser must set. It sets `content-length` itself.
    pub headers: [(&'static str, &'static str); 2],
    /// Until when.
    pub expires_at: Timestamp,
}

/// The pictures of all owners.
#[derive(Clone, Debug)]
pub struct Images {
    client: Client,
    bucket: String,
}

impl Images {
    /// Those in `bucket`.
    pub fn new(aws: &SdkConfig, bucket: String) -> Self {
        Self { client: bucket::client(aws), bucket }
    }

    /// Stores a new picture.
    pub async fn put(&self, owner: &OwnerKey, name: &ImageName, content: Bytes) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key(owner, name));
        put.content_type(name.kind().content_type()).body(content.into()).send().await?;
        Ok(())
    }

    /// Permission to store a new picture of exactly `size` bytes, once: type, length and absence are signed.
    pub async fn presign_put(
        &self,
        owner: &OwnerKey,
        name: &ImageName,
        size: u64,
    ) -> Result<PresignedUpload, StoreError> {
        let expires_at = Timestamp::from_millis(
            Timestamp::now().millis() + i64::try_from(PUT_LIFE.as_millis()).unwrap_or_default(),
        );
        let content_type = name.kind().content_type();
        let put = self.client.put_object().bucket(&self.bucket).key(key(owner, name));
        let request = put
            .content_type(content_type)
            .content_length(i64::try_from(size).unwrap_or(i64::MAX))
            .if_none_match(ABSENT)
            .presigned(expiring(PUT_LIFE)?)
            .await?;
        // Not all of `request.headers()`: on Lambda the SDK adds a trace id, which isn't signed and which the bucket's CORS
        // rules don't allow.
        let headers = [("content-type", content_type), ("if-none-match", ABSENT)];
        Ok(PresignedUpload { url: request.uri().to_owned(), headers, expires_at })
    }

    /// An address at which anybody can read the picture for `life`. Whether there is one isn't looked at.
    pub async fn presign_get(
        &self,
        owner: &OwnerKey,
        name: &ImageName,
        life: Duration,
    ) -> Result<String, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key(owner, name));
        let request: PresignedRequest = get.presigned(expiring(life)?).await?;
        Ok(request.uri().to_owned())
    }

    /// What a picture's header declares: `None` where there is no such picture, `Some(None)` where what is there is none.
    pub async fn header(
        &self,
        owner: &OwnerKey,
        name: &ImageName,
    ) -> Result<Option<Option<ImageHeader>>, StoreError> {
        // A camera's metadata may come before the size and be long; then there is no way around reading on.
        for bytes in [HEADER_BYTES, MAX_IMAGE_BYTES] {
            let get = self.client.get_object().bucket(&self.bucket).key(key(owner, name));
            let found = match get.range(format!("bytes=0-{}", bytes - 1)).send().await {
                Ok(found) => found,
                // An empty object has no first byte.
                Err(error) if error.code() == Some("InvalidRange") => return Ok(Some(None)),
                Err(error) => return absent_or(error),
            };
            match ImageHeader::read(&read(found.body).await?) {
                Ok(header) => return Ok(Some(Some(header))),
                Err(ImageHeaderError::Incomplete) => {}
                Err(ImageHeaderError::NotAPicture) => return Ok(Some(None)),
            }
        }
        Ok(Some(None))
    }

    /// All of a picture, with what its header declares: `None` where there is no such picture, `Some(None)` where what is there is
    /// none.
    pub async fn whole(
        &self,
        owner: &OwnerKey,
        name: &ImageName,
    ) -> Result<Option<Option<(ImageHeader, Bytes)>>, StoreError> {
        let Some(found) = self.get(owner, name).await? else { return Ok(None) };
        let bytes = found.bytes().await?;
        Ok(Some(ImageHeader::read(&bytes).ok().map(|header| (header, bytes))))
    }

    /// How much all pictures of an owner take, in bytes.
    pub async fn total_bytes(&self, owner: &OwnerKey) -> Result<u64, StoreError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(folder(owner));
        let mut pages = list.into_paginator().send();
        let mut total = 0;
        while let Some(page) = pages.next().await {
            let sizes = page?.contents.unwrap_or_default().into_iter().filter_map(|object| object.size);
            total += sizes.filter_map(|size| u64::try_from(size).ok()).sum::<u64>();
        }
        Ok(total)
    }

    /// Removes a picture. That there is none is as good.
    pub async fn remove(&self, owner: &OwnerKey, name: &ImageName) -> Result<(), StoreError> {
        self.client.delete_object().bucket(&self.bucket).key(key(owner, name)).send().await?;
        Ok(())
    }

    /// The entity tag of a picture, with the quotes, or `None` where there is no such picture.
    pub async fn etag(&self, owner: &OwnerKey, name: &ImageName) -> Result<Option<String>, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key(owner, name));
        match head.send().await {
            Ok(found) => Ok(Some(found.e_tag.unwrap_or_default())),
            Err(error) => absent_or(error),
        }
    }

    /// A picture, its bytes not read yet, or `None` where there is no such picture.
    pub async fn get(&self, owner: &OwnerKey, name: &ImageName) -> Result<Option<StoredImage>, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key(owner, name));
        match get.send().await {
            Ok(found) => Ok(Some(StoredImage {
                etag: found.e_tag.unwrap_or_default(),
                size: u64::try_from(found.content_length.unwrap_or_default()).unwrap_or_default(),
                body: found.body,
            })),
            Err(error) => absent_or(error),
        }
    }
}

async fn read(body: ByteStream) -> Result<Bytes, StoreError> {
    let body = body.collect().await;
    body.map(AggregatedBytes::into_bytes).map_err(StoreError::of)
}

fn folder(owner: &OwnerKey) -> String {
    format!("uploads/{owner}/")
}

fn key(owner: &OwnerKey, name: &ImageName) -> String {
    format!("{}{name}", folder(owner))
}
