//! Who asks, and whether they may: a handler names the scope it needs as one of its
//! arguments, and is not called for anyone else.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::{FromRequest, HttpRequest, web};

use super::problem::Problem;
use super::state::AppState;
use super::tokens::Actor;
use crate::config::Scope;

fn authorize(req: &HttpRequest, needed: &[Scope]) -> Result<Actor, Problem> {
    let Some(state) = req.app_data::<web::Data<AppState>>() else {
        return Err(Problem::internal("the state is not part of the application"));
    };
    let header = req.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    state.live.load().tokens.authorize(header, needed)
}

/// Makes an extractor that lets in who holds one of the scopes.
macro_rules! extractor {
    ($(#[$doc:meta])* $name:ident, $needed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Actor);

        impl FromRequest for $name {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(authorize(req, $needed).map(Self))
            }
        }
    };
}

extractor!(
    /// Who may post alerts.
    Ingest,
    &[Scope::Ingest]
);
extractor!(
    /// Who may look at everything.
    Read,
    &[Scope::Read]
);
extractor!(
    /// Who may change things.
    Write,
    &[Scope::Write]
);
extractor!(
    /// Who may operate the server.
    Admin,
    &[Scope::Admin]
);
extractor!(
    /// Who may scrape metrics: a Prometheus holds the token of its Alertmanager or one of
    /// its own.
    Scrape,
    &[Scope::Read, Scope::Ingest]
);
