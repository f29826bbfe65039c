//! Frames to open connections, through the API Gateway management API.

use std::time::Duration;

use aws_sdk_apigatewaymanagement::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::SdkError,
    primitives::Blob,
};
use aws_types::SdkConfig;
use futures_util::{StreamExt, future::Either, stream};

use super::{
    connections::{Connection, Connections},
    database::DatabaseError,
    metrics::Metric,
};
use crate::model::{Event, Owner, describe};

/// How many posts go out side by side (decision 1 in the house's design).
const CONCURRENT_POSTS: usize = 32;
/// How long all posts of one event may take together: the sender waits for them.
const TIME_FOR_ALL: Duration = Duration::from_secs(1);

/// How long a close may take: nobody waits for it but the sweep.
const TIME_TO_CLOSE: Duration = Duration::from_secs(5);

/// Tells connections what happened. What can't be told is logged and never fails what it is about: a client loads the
/// list again after it was away.
#[derive(Clone, Debug)]
pub struct Pusher {
    client: Client,
    connections: Connections,
}

enum Posted {
    Delivered,
    Gone,
}

impl Pusher {
    /// Pushes through the WebSocket API at `api_url`, `https://<api>.execute-api.<region>.amazonaws.com/<stage>`.
    pub fn new(aws: &SdkConfig, api_url: &str, connections: Connections) -> Self {
        // The SDK has no time-out of its own, and its retries outlast the second that there is.
        let mut config = aws_sdk_apigatewaymanagement::config::Builder::from(aws)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(TIME_FOR_ALL).build());
        // An endpoint in code would win over the environment's, by which the local stack names its own.
        if std::env::var_os("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI").is_none() {
            config = config.endpoint_url(api_url);
        }
        Self { client: Client::from_conf(config.build()), connections }
    }

    /// Tells all connections of `owner`.
    pub async fn tell_all(&self, owner: &Owner, event: &Event) {
        match self.connections.of(owner).await {
            Ok(connections) => self.tell(connections, event).await,
            Err(error) => log_unknown_audience(&error),
        }
    }

    /// Tells `connections`.
    pub async fn tell(&self, connections: Vec<Connection>, event: &Event) {
        if connections.is_empty() {
            return;
        }
        let all = connections.len();
        let frames: Vec<Blob> = event.to_frames().into_iter().map(Blob::new).collect();
        let mut posts = stream::iter(connections)
            .map(|connection| async {
                let posted = self.post(&connection.id, &frames).await;
                (connection, posted)
            })
            .buffer_unordered(CONCURRENT_POSTS);
        let mut gone = Vec::new();
        let mut sent = 0;
        let mut unsure = 0;
        let deadline = tokio::time::sleep(TIME_FOR_ALL);
        tokio::pin!(deadline);
        loop {
            match futures_util::future::select(posts.next(), &mut deadline).await {
                Either::Left((Some((connection, posted)), _)) => match posted {
                    Ok(Posted::Delivered) => sent += 1,
                    Ok(Posted::Gone) if connection.is_established() => gone.push(connection.id),
                    // Not open yet: it will load the list.
                    Ok(Posted::Gone) => unsure += 1,
                    Err(error) => {
                        tracing::warn!(
                            connection_id = connection.id,
                            error = describe(&*error),
                            "push failed"
                        );
                    }
                },
                Either::Left((None, _)) => break,
                Either::Right(_) => {
                    tracing::warn!("push ran out of time");
                    break;
                }
            }
        }
        Metric::PushesSent.count(sent);
        Metric::PushesGone.count(gone.len());
        Metric::PushesFailed.count(all - sent - gone.len() - unsure);
        if let Err(error) = self.connections.forget_all(&gone).await {
            tracing::warn!(error = describe(&error), "gone connections not forgotten");
        }
    }

    async fn post(
        &self,
        id: &str,
        frames: &[Blob],
    ) -> Result<Posted, Box<dyn std::error::Error + Send + Sync>> {
        for frame in frames {
            match self.client.post_to_connection().connection_id(id).data(frame.clone()).send().await {
                Ok(_) => {}
                Err(SdkError::ServiceError(error)) if error.err().is_gone_exception() => {
                    return Ok(Posted::Gone);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Posted::Delivered)
    }

    /// Closes a connection, and forgets it.
    pub async fn close(&self, id: &str) -> Result<(), DatabaseError> {
        if self.cut(id).await { self.connections.forget(id).await } else { Ok(()) }
    }

    /// Closes a connection that floods.
    pub async fn close_flooding(&self, id: &str) -> Result<(), DatabaseError> {
        if self.cut(id).await { self.connections.forget_flooding(id).await } else { Ok(()) }
    }

    /// Ends the socket: whether it has ended. If not, its row stays, so that the next sweep tries again; the row's own end comes
    /// with its time to live.
    async fn cut(&self, id: &str) -> bool {
        let patience = TimeoutConfig::builder().operation_timeout(TIME_TO_CLOSE).build();
        let patience = aws_sdk_apigatewaymanagement::config::Builder::new().timeout_config(patience);
        let delete = self.client.delete_connection().connection_id(id);
        match delete.customize().config_override(patience).send().await {
            Ok(_) => true,
            Err(SdkError::ServiceError(error)) if error.err().is_gone_exception() => true,
            Err(error) => {
                tracing::warn!(connection_id = id, error = describe(&error), "connection not closed");
                false
            }
        }
    }
}

/// Logs that nobody could be told, since the rows of the connections could not be read.
pub fn log_unknown_audience(error: &DatabaseError) {
    tracing::warn!(error = describe(error), "nobody told: connections unknown");
}
