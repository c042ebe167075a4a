//! What surrounds every page: its head, the bar with the ways to all pages, its foot; and the
//! answer it becomes.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ETAG, LOCATION, REFERRER_POLICY};
use actix_web::{HttpResponse, HttpResponseBuilder};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest as _, Sha256};

use super::assets::{ICON, SCRIPT, STYLE};
use super::navigation;
use super::viewer::{Taste, Viewer};

/// Own files and nothing else; nothing inline; nobody's frame. A rendered mail is shown in a
/// frame of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page on its way.
pub struct Page<'a> {
    /// What the tab says.
    pub title: &'a str,
    /// The page's own part.
    pub main: Markup,
}

/// The page as an answer: 304 when the browser has just that.
pub fn answer(viewer: &Viewer, page: Page<'_>) -> HttpResponse {
    let tag = tag_of(viewer, &page);
    // A compressed answer's tag is the same: what it compares is the text.
    let quoted = format!("\"{tag}\"");
    if viewer.known.as_deref().is_some_and(|known| known.trim_start_matches("W/") == quoted) {
        return HttpResponse::NotModified().insert_header((ETAG, quoted)).finish();
    }
    let body = document(Some(viewer), &viewer.taste, &page, Some(&tag));
    head(StatusCode::OK).insert_header((ETAG, quoted)).body(body)
}

/// Of all that may differ between two readings of the same address. It stands in the page, too,
/// so that a script knows what it has.
fn tag_of(viewer: &Viewer, page: &Page<'_>) -> String {
    let digest = Sha256::new()
        .chain_update(&page.main.0)
        .chain_update(page.title)
        .chain_update(
            [
                &viewer.taste.zone_name,
                viewer.taste.theme,
                viewer.taste.base_path.as_str(),
                &viewer.actor.name,
            ]
            .join("\n"),
        )
        .finalize();
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..12])
}

/// A page for anyone, such as the one to log in on.
pub fn public(status: StatusCode, taste: &Taste, page: &Page<'_>) -> HttpResponse {
    head(status).body(document(None, taste, page, None))
}

/// A page with another status than 200.
pub fn answer_with(status: StatusCode, viewer: &Viewer, page: &Page<'_>) -> HttpResponse {
    head(status).body(document(Some(viewer), &viewer.taste, page, None))
}

/// Sends the browser on after a form.
pub fn see_other(location: impl Into<String>) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location.into())).finish()
}

fn head(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        // Without it browsers send no `Origin` with our forms.
        .insert_header((REFERRER_POLICY, "same-origin"));
    response
}

fn document(viewer: Option<&Viewer>, taste: &Taste, page: &Page<'_>, tag: Option<&str>) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" data-zone=(taste.zone_name) data-theme=[some(taste.theme)]
            data-zone-chosen=[taste.zone_chosen.then_some("1")] data-tag=[tag]
            data-base=[some(taste.base_path.as_str())] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (page.title) " · Modelpager" }
                link rel="stylesheet" href=(STYLE.href);
                link rel="icon" href=(ICON.href) type="image/svg+xml";
                script src=(SCRIPT.href) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (bar(viewer))
                main #main { (page.main) }
                (foot(viewer, taste))
            }
        }
    };
    taste.base_path.in_html(document.into_string())
}

fn bar(viewer: Option<&Viewer>) -> Markup {
    let path = viewer.map_or("", |viewer| viewer.here.split('?').next().unwrap_or_default());
    let is_here = |to: &str| if to == "/" { path == "/" } else { path.starts_with(to) };
    html! {
        header.bar {
            div.bar-inner {
                a.brand href="/" {
                    svg viewBox="0 0 24 24" aria-hidden="true" {
                        rect.ground width="24" height="24" rx="5" {}
                        path.line d="M4 13h4l2-6 4 11 2.5-5H20" {}
                    }
                    "Modelpager"
                }
                @if let Some(viewer) = viewer {
                    nav aria-label="Pages" {
                        ul {
                            @for (to, name) in navigation() {
                                li { a href=(to) aria-current=[is_here(to).then_some("page")] { (name) } }
                            }
                        }
                    }
                    div.who {
                        span.pulse data-state="" {}
                        @if viewer.has_session {
                            span { (viewer.actor.name) }
                            form method="post" action="/logout" { button.small type="submit" { "Log out" } }
                        }
                    }
                }
            }
        }
    }
}

fn foot(viewer: Option<&Viewer>, taste: &Taste) -> Markup {
    let here = viewer.map_or("/", |viewer| viewer.here.as_str());
    html! {
        footer {
            span { "Modelpager " (env!("CARGO_PKG_VERSION")) }
            a href="/docs" { "API" }
            @if viewer.is_some() { form method="post" action="/preferences" {
                input type="hidden" name="next" value=(here);
                label for="theme" { "Theme" }
                select #theme name="theme" {
                    @for (value, name) in [("", "System"), ("light", "Light"), ("dark", "Dark")] {
                        option value=(value) selected[taste.theme == value] { (name) }
                    }
                }
                label for="zone" { "Time zone" }
                input #zone name="zone" size="18" placeholder="Browser default"
                    value=(if taste.zone_chosen { taste.zone_name.as_str() } else { "" });
                button.small type="submit" { "Save" }
                span { "Times are in " (taste.zone_name) }
            } }
        }
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
