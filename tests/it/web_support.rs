//! The HTTP application in the test's own process, over a real store that lives as
//! long as the fixture.

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::Service as _;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use actix_web::{test, web};
use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use modelpager::catalog::Catalog;
use modelpager::catalog::service::CatalogService;
use modelpager::config::{ChannelConfig, Config, Scope, TokenConfig};
use modelpager::dispatch::plan::Plan;
use modelpager::dispatch::{self, Dispatcher};
use modelpager::domain::clock::{ManualClock, SharedClock, Timestamp};
use modelpager::domain::ids::IdMaker;
use modelpager::domain::random::SeededRandom;
use modelpager::domain::secret::Secret;
use modelpager::http::Proxies;
use modelpager::intake::inbox::{self, Inbox};
use modelpager::store::Store;
use modelpager::telemetry::metrics::Metrics;
use modelpager::triage::change::{self, Triage};
use modelpager::triage::rules::Rules;
use modelpager::web::body::BodyBudget;
use modelpager::web::server;
use modelpager::web::state::{AppState, Live, Operations};
use parking_lot::Mutex;
use serde_json::Value;

use crate::support::databases::Fresh;

/// When every test begins.
pub const START: Timestamp = Timestamp::from_millis(1_787_220_003_125);

/// A program whose workers and reloads do as the test says.
#[derive(Default)]
pub struct ScriptedOperations {
    pub stopped: Mutex<Vec<String>>,
    pub reload_problem: Mutex<Option<String>>,
}

impl Operations for ScriptedOperations {
    fn stopped_workers(&self) -> Vec<String> {
        self.stopped.lock().clone()
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        let answer = self.reload_problem.lock().clone().map_or(Ok(()), Err);
        Box::pin(async move { answer })
    }
}

/// The application and what it stands on.
pub struct Site {
    pub state: AppState,
    pub clock: ManualClock,
    pub operations: Arc<ScriptedOperations>,
    _database: Fresh,
}

/// An answer, read whole.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A configuration with one token of each scope: `ingest-token-0123456` and so on.
pub fn config_with_tokens() -> Config {
    let mut config = Config::default();
    for (name, scope) in
        [("ingest", Scope::Ingest), ("read", Scope::Read), ("write", Scope::Write), ("admin", Scope::Admin)]
    {
        let token = Secret::new(format!("{name}-token-0123456"));
        config.auth.tokens.push(TokenConfig { name: name.to_owned(), token, scopes: vec![scope] });
    }
    config
}

/// As the program does, which gives a configuration without channels one.
fn rules(config: &Config) -> Rules {
    let mut config = config.clone();
    if config.route.channels.is_empty() {
        config.channels.push(ChannelConfig::new("console", "log"));
        config.route.channels.push("console".to_owned());
    }
    Rules::build(&config).unwrap_or_else(|problems| panic!("{problems:?}"))
}

impl Site {
    /// Without tokens: everybody may do everything.
    pub async fn open() -> Self {
        Self::with_config(Config::default()).await
    }

    /// With a configuration, on SQLite.
    pub async fn with_config(config: Config) -> Self {
        Self::over(Fresh::sqlite(), config).await
    }

    /// With a configuration, on the database given.
    pub async fn over(database: Fresh, config: Config) -> Self {
        let store = Store::open(&database.url(), 4).await.unwrap();
        let clock = ManualClock::at(START);
        let operations = Arc::new(ScriptedOperations::default());
        let shared_clock: SharedClock = Arc::new(clock.clone());
        let random = Arc::new(SeededRandom::new(7));
        let ids = IdMaker::new(shared_clock.clone(), random.clone());
        let metrics = Metrics::new(START);
        let (plan, _) =
            Plan::build(&config, &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
        let parts = dispatch::Parts {
            store: store.clone(),
            clock: shared_clock.clone(),
            random,
            ids: ids.clone(),
            metrics: metrics.clone(),
        };
        let dispatcher = Arc::new(Dispatcher::start(parts, plan).await.unwrap());
        let (inbox, _) = Inbox::start(inbox::Parts {
            store: store.clone(),
            clock: shared_clock.clone(),
            ids: ids.clone(),
            metrics: metrics.clone(),
            dedup_window: config.intake.dedup_window.0,
            stored: Arc::default(),
        });
        let snapshot = Arc::new(Catalog::new(config.catalog.clone()));
        let catalog = CatalogService::new(store.clone(), snapshot.clone(), shared_clock.clone(), ids.clone());
        let triage = Triage::new(change::Parts {
            store: store.clone(),
            catalog: snapshot,
            rules: Arc::new(ArcSwap::from_pointee(rules(&config))),
            clock: shared_clock.clone(),
            ids: ids.clone(),
            metrics: metrics.clone(),
            wake: Arc::default(),
            work_available: Box::new(|_| {}),
        });
        let state = AppState {
            triage,
            bodies: BodyBudget::new(config.server.max_body_bytes),
            store,
            inbox,
            catalog,
            dispatcher,
            live: Arc::new(ArcSwap::from_pointee(Live::new(Arc::new(config), String::new(), START))),
            ids,
            clock: shared_clock,
            metrics,
            started_at: START,
            operations: operations.clone(),
            live_views: modelpager::web::live_views::LiveViews::default(),
            hour_counts: modelpager::web::hour_counts::HourCounts::default(),
        };
        Self { state, clock, operations, _database: database }
    }

    /// One request through the whole application.
    pub async fn call(&self, request: TestRequest) -> Answer {
        let service = test::init_service(server::app(web::Data::new(self.state.clone()))).await;
        let response = match service.call(request.to_request()).await {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.unwrap().to_vec();
        Answer { status, headers, body }
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.call(TestRequest::get().uri(uri)).await
    }

    pub async fn post(&self, uri: &str, body: &str) -> Answer {
        self.call(TestRequest::post().uri(uri).set_payload(body.to_owned())).await
    }
}
