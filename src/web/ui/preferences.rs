//! `/preferences`: colours and time zone, kept in the viewer's browser alone.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::login::own_path;
use super::shell;
use super::viewer::{Asker, THEME_COOKIE, ZONE_CHOSEN_COOKIE, ZONE_COOKIE};
use crate::catalog::faults::FieldError;
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::text::Form;

/// The address.
pub fn paths() -> Vec<Path> {
    vec![path("/preferences").post(keep).small_form().undescribed()]
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Preferences {
    theme: String,
    zone: String,
    next: String,
}

async fn keep(_: Asker, Form(form): Form<Preferences>) -> Result<HttpResponse, Problem> {
    let zone = form.zone.trim();
    if !zone.is_empty() && TimeZone::get(zone).is_err() {
        let message =
            format!("{zone:?} is not a time zone: use a name such as Europe/Berlin, or leave it empty");
        return Err(Problem::validation(vec![FieldError::new("zone", message)]));
    }
    let theme = if matches!(form.theme.as_str(), "light" | "dark") { form.theme.as_str() } else { "" };
    let chosen = if zone.is_empty() { "" } else { "1" };
    let mut response = shell::see_other(own_path(&form.next));
    for (name, value) in [(THEME_COOKIE, theme), (ZONE_COOKIE, zone), (ZONE_CHOSEN_COOKIE, chosen)] {
        // An empty one is taken away.
        let life = if value.is_empty() { Duration::ZERO } else { Duration::days(365) };
        let cookie =
            Cookie::build(name, value.to_owned()).path("/").same_site(SameSite::Lax).max_age(life).finish();
        response.add_cookie(&cookie).map_err(|error| Problem::internal(error.to_string()))?;
    }
    Ok(response)
}
