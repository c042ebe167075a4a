//! Runs one test on SQLite and on PostgreSQL.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

/// A fresh database and what keeps it alive.
pub enum Fresh {
    Sqlite(tempfile::TempDir),
    Postgres(super::postgres::Database),
}

impl Fresh {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub async fn postgres(test: &str) -> Option<Self> {
        super::postgres::create_database(test).await.map(Self::Postgres)
    }

    /// A database of PostgreSQL that sorts by a locale of the C library; `None` when that is not
    /// there and `test` is skipped.
    pub async fn postgres_with_locale(test: &str, locale: &str) -> Option<Self> {
        super::postgres::create_database_with_locale(test, locale).await.map(Self::Postgres)
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }
}

/// Runs a statement behind the store's back.
pub async fn execute(url: &str, statement: &'static str) {
    if let Some(file) = url.strip_prefix("sqlite://") {
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection = options.connect().await.unwrap();
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute(statement).await.unwrap();
    }
}

/// `on_both_databases! { a_test, another }`: each is an `async fn(Fresh)` beside it.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::support::databases::Fresh::sqlite()).await;
            })*
        }
        mod postgres {
            $($crate::support::databases::one_on_postgres! { $name })*
        }
    };
}

/// The same for what only several replicas can show: there is no variant on SQLite.
macro_rules! on_postgres {
    ($($name:ident),* $(,)?) => {
        mod postgres_alone {
            $($crate::support::databases::one_on_postgres! { $name })*
        }
    };
}

macro_rules! one_on_postgres {
    ($name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Some(fresh) = $crate::support::databases::Fresh::postgres(stringify!($name)).await {
                super::$name(fresh).await;
            }
        }
    };
}
pub(crate) use {on_both_databases, on_postgres, one_on_postgres};
