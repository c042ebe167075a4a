//! The page's own files, built into the program. Their names carry a digest of their content,
//! so that a browser may keep them for ever and never mixes two versions.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::web::path::{Path, path};
use crate::web::problem::Problem;

/// A file as it is served.
#[derive(Debug)]
pub struct Asset {
    /// Its address.
    pub href: String,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, content: &'static str) -> Self {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..9]);
        Self { href: format!("/assets/{stem}.{digest}.{ending}"), content_type, content }
    }

    fn response(&self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type(self.content_type)
            .insert_header((CACHE_CONTROL, "public, max-age=3600"))
            .body(self.content)
    }
}

/// How everything looks.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("app", "css", "text/css; charset=utf-8", include_str!("assets/app.css")));
/// What makes pages come alive.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app", "js", "text/javascript; charset=utf-8", include_str!("assets/app.js"))
});
/// The icon of a browser's tab.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// The files' addresses.
pub fn paths() -> Vec<Path> {
    vec![
        path("/assets/{file}").get(file).compressed().undescribed(),
        // Where browsers look by themselves.
        path("/favicon.ico").get(icon).undescribed(),
    ]
}

async fn icon() -> HttpResponse {
    ICON.response()
}

async fn file(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let href = format!("/assets/{name}");
    let asset = [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.href == href);
    let asset = asset.ok_or_else(|| Problem::not_found("file", &name))?;
    let mut response = asset.response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}
