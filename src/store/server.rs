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
use sqlx::{Connection as _, Executor as _, Row as _};

use super::dialect::{STATEMENT_LIMIT, in_time};
use super::error::{is_unavailable, with_advice};
use super::watch::Watch;
use super::{StoreError, WAIT_LIMIT};
use crate::domain::connection;

/// Room for every statement there is.
pub(super) const STATEMENT_CACHE: usize = 512;
/// How many connections intake has of its own: it stores in one transaction at a time, and asks
/// for the newest event meanwhile.
const INTAKE: u32 = 2;
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
macro_rules! session_sql {
    () => {
        "SET default_transaction_isolation = 'read committed'; SET jit = off; \
         SET statement_timeout = 30000; SET idle_in_transaction_session_timeout = 10000"
    };
}
const SESSION: &str = session_sql!();
/// For what is done for every alert and message: all of it has an index. Otherwise a plan made
/// while a table was small would read all of it long after it has grown.
const WORKING_SESSION: &str = concat!(session_sql!(), "; SET enable_seqscan = off");
/// For copying a whole database, and for changing its schema: whatever limits the role has.
const UNLIMITED_SESSION: &str = "SET default_transaction_isolation = 'read committed'; SET jit = off; \
     SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";
const _: () = assert!(STATEMENT_LIMIT.as_millis() == 30_000, "the limit in SESSION is STATEMENT_LIMIT");
const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";
const SESSION_ID: &str = "SELECT pg_backend_pid()";
const ENCODING: &str = "SELECT current_setting('server_encoding'), current_database()::TEXT";
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

/// The connections to a server: three pools, so that readers of the log never keep a message
/// waiting, and nothing that waits for a lock keeps an alert from being stored.
#[derive(Clone)]
pub(super) struct Server {
    pub read: PgPool,
    pub write: PgPool,
    pub intake: PgPool,
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
        // No value of ours is such a number, and poolers refuse the parameter.
        .extra_float_digits(None)
        .statement_cache_capacity(STATEMENT_CACHE);
    let mut connection = first_connection(&options, START_LIMIT).await?;
    refuse_shared_sessions(&mut connection, &options).await?;
    refuse_other_encodings(&mut connection).await?;
    warn_about_durability(&mut connection).await;
    if terms.migrates {
        migrate(&mut connection).await?;
    }
    // The server notices by itself if the goodbye does not arrive.
    let _ = connection.close().await;
    let session = |usual| if terms.has_time_limits { usual } else { UNLIMITED_SESSION };
    let reading = (max_connections / 3).max(1);
    let writing = max_connections.saturating_sub(reading + INTAKE).max(2);
    Ok(Server {
        read: pool(reading, session(SESSION), watch).connect_lazy_with(options.clone()),
        write: pool(writing, session(WORKING_SESSION), watch).connect_lazy_with(options.clone()),
        intake: pool(INTAKE, session(WORKING_SESSION), watch).connect_lazy_with(options.clone()),
        options,
    })
}

/// What the server or the connection to it says.
fn told(error: &sqlx::Error) -> String {
    connection::plain_words(error).map_or_else(|| error.to_string(), str::to_owned)
}

/// A server and its replicas are often started together.
async fn first_connection(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, StoreError> {
    let mut why = String::new();
    let trying = async {
        loop {
            let connected = tokio::time::timeout(WAIT_LIMIT, PgConnection::connect_with(options)).await;
            match connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Err(error) if is_unavailable(&error) => {
                    let reason = with_advice(&error);
                    if why != reason {
                        tracing::warn!(reason, "waiting for the database");
                        why = reason;
                    }
                    tokio::time::sleep(START_PAUSE).await;
                }
                settled => return settled.map_err(|error| StoreError::Open(told(&error))),
            }
        }
    };
    if let Ok(settled) = tokio::time::timeout(limit, trying).await {
        return settled;
    }
    if why.is_empty() {
        "the server did not answer".clone_into(&mut why);
    }
    Err(StoreError::Open(format!("{why} (tried for {limit:?})")))
}

/// A pooler that gives a session to somebody else after each transaction takes away what is set
/// and prepared in it, and the calls between replicas. It shows in two connections of ours having
/// one session. Asked without preparing anything.
async fn refuse_shared_sessions(
    first: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), StoreError> {
    let mut second = first_connection(options, START_LIMIT).await?;
    let sessions = async {
        let own: i32 = first.fetch_one(SESSION_ID).await?.try_get(0)?;
        match second.execute("BEGIN").await {
            // A pooler that gives each statement another session.
            Err(sqlx::Error::Database(_)) => return Ok(true),
            begun => begun?,
        };
        let other: i32 = second.fetch_one(SESSION_ID).await?.try_get(0)?;
        second.execute("ROLLBACK").await?;
        Ok::<bool, sqlx::Error>(own == other)
    };
    let is_shared = in_time(sessions).await.map_err(|error| StoreError::Open(with_advice(&error)))?;
    // The server notices by itself if the goodbye does not arrive.
    let _ = second.close().await;
    if !is_shared {
        return Ok(());
    }
    Err(StoreError::Open(
        "the pooler before the server does not keep a session for each connection: set pool_mode = session for \
         this database in pgbouncer.ini (or its like elsewhere), or point storage.url at the server itself"
            .to_owned(),
    ))
}

/// In another encoding the server refuses alerts that it cannot write, or takes bytes for
/// characters.
async fn refuse_other_encodings(connection: &mut PgConnection) -> Result<(), StoreError> {
    let found: Result<(String, String), _> = sqlx::query_as(ENCODING).fetch_one(connection).await;
    let (encoding, name) = found.map_err(|error| StoreError::Open(with_advice(&error)))?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Open(format!(
        "the database {name:?} has the encoding {encoding}, not UTF8: make one with CREATE DATABASE modelpager \
         ENCODING 'UTF8' TEMPLATE template0 and name it in storage.url"
    )))
}

/// Replicas of two versions may share a database while it is upgraded: one that is older than
/// the schema goes on working, since a migration only ever adds what older ones can do without.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.set_ignore_missing(true);
    let unlimited = connection.execute(UNLIMITED_SESSION).await;
    unlimited.map_err(|error| StoreError::Open(error.to_string()))?;
    migrations.run(connection).await.map_err(StoreError::migrating)
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

fn pool(connections: u32, session: &'static str, watch: &Arc<Watch>) -> PgPoolOptions {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that refuses everybody, with this SQLSTATE and this text.
    async fn refusing(code: &'static str, text: &'static str) -> PgConnectOptions {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut fields = Vec::new();
        for (kind, value) in [('S', "FATAL"), ('V', "FATAL"), ('C', code), ('M', text)] {
            fields.extend_from_slice(format!("{kind}{value}\0").as_bytes());
        }
        fields.push(0);
        let length = u32::try_from(fields.len() + 4).unwrap();
        let answer = [b"E".as_slice(), &length.to_be_bytes(), &fields].concat();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 1_024];
                // Who hangs up has seen enough.
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(&answer).await;
            }
        });
        format!("postgres://u:p@127.0.0.1:{port}/d?sslmode=disable").parse().unwrap()
    }

    #[tokio::test]
    async fn a_server_without_a_free_connection_is_quoted_at_the_start() {
        for text in ["sorry, too many clients already", "too many connections for role \"u\""] {
            let options = refusing("53300", text).await;

            let error = first_connection(&options, Duration::from_millis(300)).await.unwrap_err().to_string();

            assert!(error.contains(text), "{error}");
            assert!(error.contains("raise its max_connections"), "{error}");
        }
    }

    #[tokio::test]
    async fn what_waiting_does_not_mend_is_said_at_once() {
        let options = refusing("3D000", "database \"d\" does not exist").await;

        let error = first_connection(&options, Duration::from_secs(60)).await.unwrap_err().to_string();

        assert!(error.contains("database \"d\" does not exist"), "{error}");
    }
}
