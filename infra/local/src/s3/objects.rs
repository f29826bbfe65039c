//! The operations that the functions use, exact where `s3s-fs` is not; all others stay `NotImplemented`.

use std::collections::HashSet;

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, ETAG};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::RwLock;

/// Far above the product's 10 MB. An upload that is not in parts is held in memory, so there has to be a limit.
const MAX_OBJECT_BYTES: usize = 64 << 20;

pub(super) struct Objects {
    files: FileSystem,
    buckets: HashSet<String>,
    /// Writes are exclusive: the check of `If-None-Match: *` and the files that make up an object belong together.
    /// One lock for all keys is enough, since whoever holds it waits for the local disk only, never for a client.
    lock: RwLock<()>,
}

impl Objects {
    pub(super) fn new(files: FileSystem, buckets: HashSet<String>) -> Self {
        Self { files, buckets, lock: RwLock::new(()) }
    }

    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        match self.buckets.contains(bucket) {
            true => Ok(()),
            false => Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")),
        }
    }

    /// A key becomes a path under the bucket's directory; one that would become another path, perhaps in another
    /// bucket, is refused, although S3 itself takes it.
    fn check(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.check_bucket(bucket)?;
        match key.split('/').any(|part| matches!(part, "" | "." | "..")) {
            true => {
                Err(s3_error!(InvalidArgument, "The local stack takes no keys with empty, '.' or '..' parts"))
            }
            false => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        if matches!(request.input.if_none_match, Some(ETagCondition::ETag(_))) {
            return Err(s3_error!(NotImplemented, "If-None-Match of a PUT can only be *"));
        }
        // Received whole before the lock is taken: of two uploads the first to *end* wins, and one that stalls
        // hinders nobody.
        let body = receive(request.input.body.take()).await?;
        request.input.body = Some(StreamingBlob::from(Body::from(body)));
        let _exclusive = self.lock.write().await;
        self.files.put_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        self.files.create_multipart_upload(request).await
    }

    /// Without the lock: a part is a file of its own, which nobody sees before the upload is complete.
    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        let _exclusive = self.lock.write().await;
        self.files.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        self.files.abort_multipart_upload(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, if_none_match, .. } = &request.input;
        self.check(bucket, key)?;
        let condition = if_none_match.clone();
        let content_type = request.input.response_content_type.clone();
        let cache_control = request.input.response_cache_control.clone();
        let disposition = request.input.response_content_disposition.clone();
        let mut response = {
            // The file is open when this returns: the body can be read without the lock.
            let _shared = self.lock.read().await;
            self.files.get_object(request).await?
        };
        let output = &mut response.output;
        output.content_type = content_type.or(output.content_type.take());
        output.cache_control = cache_control.or(output.cache_control.take());
        output.content_disposition = disposition.or(output.content_disposition.take());
        unless_matching(condition, output.e_tag.as_ref(), output.cache_control.as_deref())?;
        Ok(response)
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        let condition = request.input.if_none_match.clone();
        let _shared = self.lock.read().await;
        let response = self.files.head_object(request).await?;
        let output = &response.output;
        unless_matching(condition, output.e_tag.as_ref(), output.cache_control.as_deref())?;
        Ok(response)
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.check(&request.input.bucket, &request.input.key)?;
        let _exclusive = self.lock.write().await;
        self.files.delete_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.check_bucket(&request.input.bucket)?;
        let _shared = self.lock.read().await;
        self.files.list_objects_v2(request).await
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.check_bucket(&request.input.bucket)?;
        self.files.head_bucket(request).await
    }
}

async fn receive(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let mut received = BytesMut::new();
    let Some(mut body) = body else { return Ok(received.freeze()) };
    while let Some(chunk) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
        if received.len() + chunk.len() > MAX_OBJECT_BYTES {
            return Err(s3_error!(EntityTooLarge));
        }
        received.extend_from_slice(&chunk);
    }
    Ok(received.freeze())
}

/// `304` where the client has the object already (RFC 9110, section 13.1.2).
fn unless_matching(
    condition: Option<ETagCondition>,
    etag: Option<&ETag>,
    cache_control: Option<&str>,
) -> S3Result<()> {
    let (Some(condition), Some(etag)) = (condition, etag) else { return Ok(()) };
    let matching = match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(known) => known.weak_cmp(etag),
    };
    if !matching {
        return Ok(());
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = etag.to_http_header() {
        headers.insert(ETAG, value);
    }
    if let Some(Ok(value)) = cache_control.map(str::parse) {
        headers.insert(CACHE_CONTROL, value);
    }
    let mut error = s3_error!(NotModified);
    error.set_headers(headers);
    Err(error)
}
