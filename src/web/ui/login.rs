//! `/login` and `/logout`: a token for a session.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::session;
use super::shell::{self, Page};
use super::viewer::{self, OwnForm, Taste};
use crate::config::Scope;
use crate::web::path::{Path, path};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;

/// The addresses.
pub fn paths() -> Vec<Path> {
    vec![
        path("/login").get(show).post(log_in).small_form().undescribed(),
        path("/logout").post(log_out).small_form().undescribed(),
    ]
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Next {
    next: String,
}

#[derive(Debug, Deserialize)]
struct LogIn {
    token: String,
    #[serde(default)]
    next: String,
}

async fn show(req: HttpRequest, next: web::Query<Next>, state: web::Data<AppState>) -> HttpResponse {
    if state.live.load().tokens.is_open() {
        return shell::see_other("/");
    }
    page(StatusCode::OK, &req, &next.next, None)
}

async fn log_in(
    _: OwnForm,
    req: HttpRequest,
    form: web::Form<LogIn>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let live = state.live.load();
    let header = format!("Bearer {}", form.token.trim());
    let actor = match live.tokens.authorize(Some(header.as_bytes()), &[Scope::Read]) {
        Ok(actor) => actor,
        Err(refusal) => {
            let why = match refusal.kind() {
                Kind::Forbidden => refusal.to_string(),
                _ => "Invalid token".to_owned(),
            };
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &req, &form.next, Some(&why)));
        }
    };
    let until = state.clock.now().plus(session::LIFE);
    let value = session::issue(&live.tokens, &actor.name, &state.ids.next_id(), until).unwrap_or_default();
    let is_secure = live.config.server.external_url.starts_with("https:");
    let mut response = shell::see_other(own_path(&form.next));
    let life = Duration::seconds(i64::try_from(session::LIFE.as_secs()).unwrap_or_default());
    add_cookie(&mut response, session_cookie(value, life, is_secure))?;
    Ok(response)
}

async fn log_out(_: OwnForm, req: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    if let Some(session) = viewer::session_of(&req, &state) {
        state.store.end_session(&session.id, session.until).await?;
    }
    let mut response = shell::see_other("/login");
    add_cookie(&mut response, session_cookie(String::new(), Duration::ZERO, false))?;
    Ok(response)
}

fn session_cookie(value: String, life: Duration, is_secure: bool) -> Cookie<'static> {
    // Lax, not strict: a link in a message must find who is logged in.
    Cookie::build(session::COOKIE, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure)
        .max_age(life)
        .finish()
}

fn add_cookie(response: &mut HttpResponse, cookie: Cookie<'static>) -> Result<(), Problem> {
    response.add_cookie(&cookie).map_err(|error| Problem::internal(error.to_string()))
}

/// A path of this server; anything that a browser could take for another server is not.
pub fn own_path(next: &str) -> String {
    let is_own = next.starts_with('/')
        && !next.contains('\\')
        // Also where a proxy or a browser takes something away before it.
        && !next.split(['?', '#']).next().unwrap_or_default().contains("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { next.to_owned() } else { "/".to_owned() }
}

fn page(status: StatusCode, req: &HttpRequest, next: &str, wrong: Option<&str>) -> HttpResponse {
    let main = form(next, wrong);
    shell::public(status, &Taste::of(req), &Page { title: "Log in", main })
}

fn form(next: &str, wrong: Option<&str>) -> Markup {
    html! {
        div.card.login { div.body {
            h1 { "Log in" }
            p.quiet { "Use a token with at least the scope read (" code { "auth.tokens" } " in the configuration)." }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="token" { "Token" }
                    input #token name="token" type="password" autocomplete="current-password" required
                        aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "wrong")];
                    @if let Some(wrong) = wrong { span.wrong #wrong { (wrong) } }
                }
                button.primary type="submit" { "Log in" }
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_led_to_another_server() {
        assert_eq!(own_path("/incidents?state=open&q=a%20b"), "/incidents?state=open&q=a%20b");
        for next in [
            "",
            "//evil.example",
            "/\\evil.example",
            "/\\/evil.example",
            "\\\\evil.example",
            "/.//evil.example",
            "/a//evil.example",
            "/a\\..\\..\\evil.example",
            "/\t/evil.example",
            "\t//evil.example",
            "/\u{b}/evil.example",
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "https://evil.example",
            "/a b",
            "/\r\nSet-Cookie: a=b",
            "/é",
        ] {
            assert_eq!(own_path(next), "/", "{next:?}");
        }
    }
}
