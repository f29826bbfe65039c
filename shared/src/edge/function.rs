//! The loop that serves the events of a function, for as long as its process lives.

use std::{
    fmt::Display,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, run, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use tracing::{Instrument, Span, field::Empty};

use super::{
    log::{self, EVENT},
    settings::{Settings, SettingsError, seconds},
};
use crate::{
    model::{Timestamp, describe},
    service::{database::DatabaseError, metrics::Metric},
};

/// How long an event waits for secrets that are too old to be used as they are...
const TIME_BEFORE_EVENT: Duration = Duration::from_secs(2);
/// ...and how long fetching them may take beside one, whose answer it may hold up.
const TIME_BESIDE_EVENT: Duration = Duration::from_millis(500);
/// After how long it is tried again where that failed.
const RETRY_MS: i64 = 10_000;

/// What a process has made of its settings, and makes anew when a secret has changed: a rotated one needs no deployment.
///
/// From half of `SECRET_MAX_AGE_SECONDS` on the secrets are fetched beside an event, and beyond all of it, which happens to a process that
/// was frozen for long, before one.
pub struct Live<A, M> {
    make: M,
    max_age_ms: i64,
    state: Mutex<State<A>>,
}

struct State<A> {
    settings: Settings,
    app: Arc<A>,
    freshness: Freshness,
}

/// When secrets are to be fetched, in Unix milliseconds: by the clock on the wall, since others may stand still during a freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Freshness {
    renewed_from: i64,
    good_until: i64,
}

impl Freshness {
    fn of(fetched_at: Timestamp, max_age_ms: i64) -> Self {
        let at = fetched_at.millis();
        Self { renewed_from: at + max_age_ms / 2, good_until: at + max_age_ms }
    }

    /// After a fetch that failed: the old ones are better than none, and nobody asks for a while.
    fn after_failure(self, now: Timestamp) -> Self {
        let next = now.millis() + RETRY_MS;
        Self { renewed_from: next, good_until: self.good_until.max(next) }
    }

    fn is_due(self, now: Timestamp) -> bool {
        now.millis() >= self.renewed_from
    }

    fn is_over(self, now: Timestamp) -> bool {
        now.millis() >= self.good_until
    }
}

impl<A, M, F> Live<A, M>
where
    M: Fn(Settings) -> F,
    F: Future<Output = Result<A, SettingsError>>,
{
    /// Starts logging, and makes what `make` makes of the settings.
    pub async fn start(make: M) -> Result<Self, Error> {
        log::init();
        Self::make(make).await.map_err(|error| {
            tracing::error!(error = describe(&error), "function not started");
            // Lambda writes down whatever a process ends with: once is enough.
            "function not started".into()
        })
    }

    async fn make(make: M) -> Result<Self, SettingsError> {
        let max_age = seconds("SECRET_MAX_AGE_SECONDS")?;
        let max_age_ms = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
        let settings = Settings::load().await?;
        let freshness = Freshness::of(Timestamp::now(), max_age_ms);
        let app = Arc::new(make(settings.clone()).await?);
        Ok(Self { make, max_age_ms, state: Mutex::new(State { settings, app, freshness }) })
    }

    /// What `handle` does with it about the event of `context`.
    pub async fn with<H, R>(&self, context: &Context, handle: H) -> R::Output
    where
        H: FnOnce(Arc<A>) -> R,
        R: Future,
    {
        let handled = async {
            if IS_FIRST.swap(false, Ordering::Relaxed) {
                Metric::ColdStarts.count(1);
            }
            let now = Timestamp::now();
            let freshness = self.state().freshness;
            if freshness.is_over(now) {
                self.reload(TIME_BEFORE_EVENT).await;
                handle(self.app()).await
            } else if freshness.is_due(now) {
                tokio::join!(handle(self.app()), self.reload(TIME_BESIDE_EVENT)).0
            } else {
                handle(self.app()).await
            }
        };
        handled.instrument(span(context)).await
    }

    fn app(&self) -> Arc<A> {
        Arc::clone(&self.state().app)
    }

    fn state(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over secrets that have changed.
    async fn reload(&self, time: Duration) {
        let now = Timestamp::now();
        match timeout(time, self.take_over(now)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(error = describe(&error), "secrets not renewed"),
            Err(late) => tracing::error!(error = describe(&late), "secrets not renewed"),
        }
        let mut state = self.state();
        state.freshness = state.freshness.after_failure(now);
    }

    async fn take_over(&self, now: Timestamp) -> Result<(), SettingsError> {
        let current = self.state().settings.clone();
        let settings = current.reload().await?;
        let made = if settings.is_same(&current) {
            None
        } else {
            tracing::info!("secrets have changed");
            Some(Arc::new((self.make)(settings.clone()).await?))
        };
        let mut state = self.state();
        state.freshness = Freshness::of(now, self.max_age_ms);
        if let Some(app) = made {
            (state.settings, state.app) = (settings, app);
        }
        Ok(())
    }
}

/// By a name that a state machine can match.
impl From<DatabaseError> for Diagnostic {
    fn from(error: DatabaseError) -> Self {
        Self { error_type: "DatabaseError".to_owned(), error_message: describe(&error) }
    }
}

/// Whether the process has had no event yet.
static IS_FIRST: AtomicBool = AtomicBool::new(true);

/// What all lines about an event have in common. Who handles it fills in what is empty, with [`note`].
fn span(context: &Context) -> Span {
    tracing::error_span!(
        EVENT,
        function = context.env_config.function_name,
        request_id = context.request_id,
        correlation_id = Empty,
        connection_id = Empty,
        workspace_id = Empty,
        generation_id = Empty,
        task_id = Empty,
    )
}

/// Has all further lines about this event say that its `name`, one of those in [`span`], is `value`.
pub fn note(name: &'static str, value: impl Display) {
    Span::current().record(name, tracing::field::display(value));
}

/// Serves events of the type `E` for as long as the process lives, each by `handle` with what `make` has made of the settings.
/// What it fails with is logged here and nowhere else.
pub async fn serve<A, E, R, X, M, MF, H, HF>(make: M, handle: H) -> Result<(), Error>
where
    M: Fn(Settings) -> MF,
    MF: Future<Output = Result<A, SettingsError>>,
    E: DeserializeOwned,
    H: Fn(Arc<A>, LambdaEvent<E>) -> HF,
    HF: Future<Output = Result<R, X>>,
    R: Serialize,
    X: Into<Diagnostic>,
{
    let live = Live::start(make).await?;
    let (live, handle) = (&live, &handle);
    run(service_fn(|event: LambdaEvent<E>| async move {
        let context = event.context.clone();
        let handled = |app| async {
            let outcome = handle(app, event).await.map_err(Into::into);
            outcome.inspect_err(|Diagnostic { error_type, error_message, .. }| {
                tracing::error!(error_type, error = error_message, "event failed");
            })
        };
        live.with(&context, handled).await
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_renewed_beside_an_event_and_when_they_are_too_old_before_one() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let freshness = Freshness::of(at(1_000), 300_000);
        let is = |now: i64| (freshness.is_due(at(now)), freshness.is_over(at(now)));
        assert_eq!(
            [1_149, 1_150, 1_299, 1_300].map(is),
            [(false, false), (true, false), (true, false), (true, true)]
        );
        // What could not be fetched beside events is fetched before one in the end.
        let failed = freshness.after_failure(at(1_200)).after_failure(at(1_285));
        assert_eq!([1_294, 1_295].map(|now| failed.is_due(at(now))), [false, true]);
        assert_eq!([1_299, 1_300].map(|now| failed.is_over(at(now))), [false, true]);
        let failed = failed.after_failure(at(1_300));
        assert_eq!([1_309, 1_310].map(|now| failed.is_over(at(now))), [false, true]);
    }
}
