//! A PostgreSQL server: opening it and the connections to it.
//!
//! What is relied on is asked for on every connection: `read committed`, and time limits by
//! which the server gets rid of a replica that hangs or whose machine is gone. A server that
//! restarts or is replaced is found again without anybody's help.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};

use super::dialect::STATEMENT_LIMIT;
use super::error::is_unavailable;
use super::watch::Watch;
use super::{StoreError, WAIT_LIMIT};

/// Room for every statement there is.
pub(super) const STATEMENT_CACHE: usize = 512;
/// How long to wait at the start for a server that is just starting, too.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait before the next try.
const START_PAUSE: Duration = Duration::from_millis(500);
/// A connection that was idle for longer is looked at before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// A connection is replaced after that: a server that lost its role is left for the new one.
const LONGEST_LIFE: Duration = Duration::from_secs(600);
/// Time limits are in milliseconds. No transaction of ours waits for anything but the server;
/// one that is idle for so long has lost its replica, and holds locks that others wait for.
/// Compiling a statement that touches a few rows takes a hundred times longer than running it.
const SESSION: &str = "SET default_transaction_isolation = 'read committed'; SET jit = off; \
     SET statement_timeout = 30000; SET idle_in_transaction_session_timeout = 10000";
/// For copying a whole database.
const UNLIMITED_SESSION: &str = "SET default_transaction_isolation = 'read committed'; SET jit = off";
const _: () = assert!(STATEMENT_LIMIT.as_millis() == 30_000, "the limit in SESSION is STATEMENT_LIMIT");
const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";
const DURABILITY: &str = "SELECT current_setting('fsync'), current_setting('synchronous_commit')";

/// What connections are for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What they call themselves.
    pub name: &'static str,
    /// The server gets rid of what takes long.
    pub has_time_limits: bool,
    /// The schema is brought up to date.
    pub migrates: bool,
}

/// The connections to a server: two pools, so that readers of the log never keep a delivery
/// waiting.
#[derive(Clone)]
pub(super) struct Server {
    pub read: PgPool,
    pub write: PgPool,
    pub options: PgConnectOptions,
}

/// Connects, and brings the schema up to date.
pub(super) async fn open(
    url: &str,
    max_connections: u32,
    terms: Terms,
    watch: &Arc<Watch>,
) -> Result<Server, StoreError> {
    let options = PgConnectOptions::from_str(url)
        // The driver's message may repeat the URL with its password.
        .map_err(|_| StoreError::Open("the postgres:// URL is malformed".to_owned()))?
        .application_name(terms.name)
        .statement_cache_capacity(STATEMENT_CACHE);
    let mut connection = first_connection(&options).await?;
    warn_about_durability(&mut connection).await;
    if terms.migrates {
        migrate(&mut connection).await?;
    }
    // The server notices by itself if the goodbye does not arrive.
    let _ = connection.close().await;
    let reading = (max_connections / 3).max(1);
    let writing = max_connections.saturating_sub(reading).max(2);
    Ok(Server {
        read: pool(reading, terms, watch).connect_lazy_with(options.clone()),
        write: pool(writing, terms, watch).connect_lazy_with(options.clone()),
        options,
    })
}

/// A server and its replicas are often started together.
async fn first_connection(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let mut is_first = true;
    let trying = async {
        loop {
            let connected = tokio::time::timeout(WAIT_LIMIT, PgConnection::connect_with(options)).await;
            match connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Err(error) if is_unavailable(&error) => {
                    if std::mem::take(&mut is_first) {
                        tracing::warn!(error = &error as &dyn std::error::Error, "waiting for the database");
                    }
                    tokio::time::sleep(START_PAUSE).await;
                }
                settled => return settled.map_err(|error| StoreError::Open(error.to_string())),
            }
        }
    };
    let late = |_| Err(StoreError::Open(format!("the server did not answer within {START_LIMIT:?}")));
    tokio::time::timeout(START_LIMIT, trying).await.unwrap_or_else(late)
}

/// Replicas of two versions may share a database while it is upgraded: one that is older than
/// the schema goes on working, since a migration only ever adds what older ones can do without.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.set_ignore_missing(true);
    migrations.run(connection).await.map_err(|error| StoreError::Open(error.to_string()))
}

/// What the server was told to do is its owner's business, but it breaks a promise of ours.
async fn warn_about_durability(connection: &mut PgConnection) {
    let settings: Result<(String, String), _> = sqlx::query_as(DURABILITY).fetch_one(connection).await;
    let Ok((fsync, synchronous_commit)) = settings else { return };
    if fsync == "off" || synchronous_commit == "off" {
        tracing::warn!(
            fsync,
            synchronous_commit,
            "the server does not wait for its disk: what was accepted can be lost when it crashes"
        );
    }
}

fn pool(connections: u32, terms: Terms, watch: &Arc<Watch>) -> PgPoolOptions {
    let session = if terms.has_time_limits { SESSION } else { UNLIMITED_SESSION };
    let watch = watch.clone();
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_LIMIT)
        .max_lifetime(LONGEST_LIFE)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(session).await.map(|_| ()) })
        })
        .before_acquire(move |connection, about| {
            if watch.is_stale(about.age) {
                Box::pin(async { Ok(false) })
            } else if about.idle_for < TRUSTED_IDLE && !watch.is_shaken(about.idle_for) {
                Box::pin(async { Ok(true) })
            } else {
                is_of_use(connection)
            }
        })
        .after_release(|connection, _| is_alive(connection))
}

/// Whether the server still is the one that takes writes.
fn is_of_use(connection: &mut PgConnection) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(async move {
        let is_standby: bool = sqlx::query_scalar(IS_STANDBY).fetch_one(connection).await?;
        Ok(!is_standby)
    })
}

/// A connection that was given up in the middle of something is closed if its server does not
/// answer: it would occupy its place for as long as the network takes to notice.
fn is_alive(connection: &mut PgConnection) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    Box::pin(async move {
        let answer = tokio::time::timeout(WAIT_LIMIT, connection.ping()).await;
        answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
    })
}
