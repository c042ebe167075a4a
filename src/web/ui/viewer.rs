//! Who looks at a page, what they may do, and how they like to see it.
//!
//! A handler names [`Viewer`], [`Editor`] or [`Operator`] as one of its arguments and is not
//! called for anyone else; the latter two come only with a form of our own pages.

use std::future::{Ready, ready};

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderValue, IF_NONE_MATCH};
use actix_web::http::uri::Authority;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use jiff::tz::TimeZone;

use super::session::{self, Session};
use crate::config::Scope;
use crate::domain::clock::Timestamp;
use crate::web::base_path::BasePath;
use crate::web::origin::{Sender, sender_of};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;
use crate::web::tokens::Actor;

/// The cookie with the viewer's time zone; a script sets it, or the form at a page's foot.
pub const ZONE_COOKIE: &str = "modelpager_zone";
/// Set when the zone was chosen by hand: then the script leaves it alone.
pub const ZONE_CHOSEN_COOKIE: &str = "modelpager_zone_chosen";
/// The cookie with `light` or `dark`; without it the system decides.
pub const THEME_COOKIE: &str = "modelpager_theme";

/// Who looks at a page.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Whose token it is.
    pub actor: Actor,
    /// Whether they logged in here, and so can log out.
    pub has_session: bool,
    /// How they like to see it.
    pub taste: Taste,
    /// Their time.
    pub now: Timestamp,
    /// The path and query they asked for.
    pub here: String,
    /// What their browser already has of it.
    pub known: Option<String>,
    /// The name and port by which they reach this server.
    pub host: Option<String>,
}

/// How pages are shown.
#[derive(Clone, Debug)]
pub struct Taste {
    /// The zone of times.
    pub zone: TimeZone,
    /// Its name as IANA has it.
    pub zone_name: String,
    /// Chosen by hand.
    pub zone_chosen: bool,
    /// `light`, `dark`, or nothing.
    pub theme: &'static str,
    /// The path below which they see this server.
    pub base_path: BasePath,
}

impl Viewer {
    /// Whether they may change things.
    pub fn may_write(&self) -> bool {
        self.actor.may(Scope::Write)
    }

    /// Whether they may operate the server.
    pub fn may_operate(&self) -> bool {
        self.actor.may(Scope::Admin)
    }

    /// Who reads a page.
    ///
    /// # Errors
    /// 401 and 403 as for the page itself.
    pub fn reading(req: &HttpRequest) -> Result<Self, Problem> {
        Self::of(req, Scope::Read)
    }

    fn of(req: &HttpRequest, needed: Scope) -> Result<Self, Problem> {
        let Some(state) = req.app_data::<web::Data<AppState>>() else {
            return Err(Problem::internal("the state is not part of the application"));
        };
        let now = state.clock.now();
        let live = state.live.load();
        let session = session_of(req, state);
        let has_session = session.is_some();
        let actor = match session {
            Some(session) => session.actor.allowed(&[needed])?,
            None => {
                let header = req.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
                live.tokens.authorize(header, &[needed])?
            }
        };
        let known = req.headers().get(IF_NONE_MATCH);
        Ok(Self {
            actor,
            has_session,
            taste: Taste::of(req),
            now,
            here: req.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            known: known.and_then(|value| value.to_str().ok()).map(str::to_owned),
            host: req.headers().get(HOST).and_then(|value| value.to_str().ok()).and_then(as_authority),
        })
    }
}

impl Taste {
    /// As the request's cookies say.
    pub fn of(req: &HttpRequest) -> Self {
        let named = req.cookie(ZONE_COOKIE).map(|cookie| cookie.value().to_owned());
        let zone = named.as_deref().and_then(|name| TimeZone::get(name).ok());
        let theme = match req.cookie(THEME_COOKIE).as_ref().map(Cookie::value) {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "",
        };
        Self {
            zone_name: zone.as_ref().and(named).unwrap_or_else(|| "UTC".to_owned()),
            zone_chosen: req.cookie(ZONE_CHOSEN_COOKIE).is_some(),
            zone: zone.unwrap_or(TimeZone::UTC),
            theme,
            base_path: req
                .app_data::<web::Data<AppState>>()
                .map(|state| state.live.load().base_path.clone())
                .unwrap_or_default(),
        }
    }
}

fn as_authority(text: &str) -> Option<String> {
    text.parse::<Authority>().ok().map(|authority| authority.to_string())
}

/// Marks a request whose session was ended before its time.
#[derive(Clone, Copy, Debug)]
pub struct SessionEnded;

/// The session that a request shows, unless it was ended.
pub fn session_of(req: &HttpRequest, state: &AppState) -> Option<Session> {
    if req.extensions().contains::<SessionEnded>() {
        return None;
    }
    session::read(&state.live.load().tokens, req.cookie(session::COOKIE)?.value(), state.clock.now())
}

/// Looks up whether the session that a request shows was ended, and marks the request if so. It
/// stands before everything that asks who is there.
///
/// # Errors
/// When the database does not answer: then nobody knows.
pub async fn check_session(req: &HttpRequest, state: &AppState) -> Result<(), Problem> {
    let Some(session) = session_of(req, state) else { return Ok(()) };
    if state.store.is_session_ended(&session.id).await? {
        req.extensions_mut().insert(SessionEnded);
    }
    Ok(())
}

impl FromRequest for Viewer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::reading(req))
    }
}

/// Makes an extractor for who may send a form.
macro_rules! sender {
    ($(#[$doc:meta])* $name:ident, $needed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Viewer);

        impl FromRequest for $name {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(own_form(req).and_then(|()| Viewer::of(req, $needed)).map(Self))
            }
        }
    };
}

/// Lets a form pass that was sent from a page of this server.
///
/// # Errors
/// 403 for any other.
pub fn own_form(req: &HttpRequest) -> Result<(), Problem> {
    let Some(state) = req.app_data::<web::Data<AppState>>() else {
        return Err(Problem::internal("the state is not part of the application"));
    };
    match sender_of(req, &state.live.load().config.server.external_url) {
        Sender::OwnPage => Ok(()),
        Sender::OtherSite | Sender::Program => Err(Problem::new(Kind::Forbidden, NOT_OURS)),
    }
}

const NOT_OURS: &str =
    "this form was not sent from a page of this server; programs use the API under /api/v1";

/// Comes with a form of our own pages, whoever sends it.
#[derive(Clone, Copy, Debug)]
pub struct OwnForm;

impl FromRequest for OwnForm {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(own_form(req).map(|()| Self))
    }
}

sender!(
    /// Who sends a form that changes nothing: a look at what would happen.
    Asker,
    Scope::Read
);
sender!(
    /// Who changes things.
    Editor,
    Scope::Write
);
sender!(
    /// Who operates the server.
    Operator,
    Scope::Admin
);
