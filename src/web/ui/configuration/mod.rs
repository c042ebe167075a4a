//! `/configuration`: what is in force, where the routes lead, and loading the file again.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::parts::query::Address;
use super::shell::{self, Page};
use super::viewer::{Operator, Viewer};
use crate::triage::rules::Rules;
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::state::AppState;

mod labels;
mod routing;
mod view;

const TITLE: &str = "Configuration";

/// The addresses.
pub fn paths() -> Vec<Path> {
    vec![
        path("/configuration").get(show).page(),
        // What was answered to a form is read again from its own address.
        path("/configuration/reload").get(show).post(reload).page(),
    ]
}

async fn show(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let main = view::view(&viewer, &shown(&state, None)?);
    Ok(shell::answer(&viewer, Page { title: TITLE, main }))
}

/// Puts the file into force; what is wrong with it stands on the page.
async fn reload(who: Operator, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    tracing::info!(actor = who.0.actor.name, "reload requested");
    match state.operations.reload().await {
        Ok(()) => Ok(shell::see_other(Address::to("/configuration").with("done", "reloaded").href())),
        Err(refused) => {
            let main = view::view(&who.0, &shown(&state, Some(refused))?);
            Ok(shell::answer_with(StatusCode::UNPROCESSABLE_ENTITY, &who.0, &Page { title: TITLE, main }))
        }
    }
}

fn shown(state: &AppState, refused: Option<String>) -> Result<view::Shown, Problem> {
    let live = state.live.load_full();
    // What is in force passed its checks: the same rules were built then.
    let rules = Rules::build(&live.config)
        .map_err(|problems| Problem::internal(format!("the rules cannot be built: {problems:?}")))?;
    let text = serde_saphyr::to_string(&live.shown).map_err(Problem::internal)?;
    let (catalog, now) = (state.catalog.catalog().clone(), state.clock.now());
    Ok(view::Shown { live, rules, catalog, now, text, refused })
}

/// What a form did, in a sentence.
fn done(here: &Address) -> Option<&'static str> {
    match here.get("done")? {
        "reloaded" => Some("Configuration reloaded."),
        _ => None,
    }
}
