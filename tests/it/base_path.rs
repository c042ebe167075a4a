//! The server below a path: behind a proxy that takes the path off, and behind one that does not.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;

use crate::web_support::{Site, config_with_tokens};

const PAGES: [&str; 12] = [
    "/",
    "/incidents",
    "/incidents/x",
    "/notifications",
    "/catalog",
    "/catalog/-/new",
    "/catalog/-/import",
    "/channels",
    "/events",
    "/configuration",
    "/docs",
    "/nothing/here",
];

async fn below_pager() -> Site {
    let mut config = config_with_tokens();
    config.server.external_url = "https://x.example/pager".to_owned();
    Site::with_config(config).await
}

fn login_form(uri: &str) -> TestRequest {
    TestRequest::post()
        .uri(uri)
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .set_form([("token", "admin-token-0123456"), ("next", "/incidents?q=a")])
}

/// Every value of an attribute that begins with a slash, with the attribute's name.
fn rooted_attributes(html: &str) -> Vec<(&str, &str)> {
    let starts = html.match_indices("=\"/").map(|(at, _)| at);
    starts
        // A key to press.
        .filter(|at| !html[..*at].ends_with("aria-keyshortcuts"))
        .map(|at| {
            let name = html[..at].rsplit([' ', '\n']).next().unwrap();
            (name, html[at + 2..].split('"').next().unwrap())
        })
        .collect()
}

#[actix_web::test]
async fn every_page_leads_only_below_the_path_whatever_the_proxy_does() {
    let site = below_pager().await;
    let answer = site.call(login_form("/pager/login")).await;
    assert_eq!(answer.header("location"), "/pager/incidents?q=a");
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("Path=/pager;"), "{cookie}");
    let session = cookie.split(';').next().unwrap().to_owned();

    for uri in PAGES {
        for seen in [uri.to_owned(), format!("/pager{uri}")] {
            let request = TestRequest::get().uri(&seen).insert_header(("Accept", "text/html"));
            let answer = site.call(request.insert_header(("Cookie", session.clone()))).await;
            assert!(answer.header("content-type").starts_with("text/html"), "{seen}: {}", answer.text());
            let found = rooted_attributes(answer.text());
            assert!(!found.is_empty(), "{seen}");
            for (name, value) in found {
                // A form's `next` is a path inside; its redirect gets the path again.
                let is_fine =
                    if name == "value" { !value.starts_with("/pager") } else { value.starts_with("/pager/") };
                assert!(is_fine || value == "/pager", "{seen}: {name}={value}");
            }
        }
    }
}

#[actix_web::test]
async fn files_redirects_and_errors_are_found_below_the_path() {
    let site = below_pager().await;

    let asked = TestRequest::get().uri("/pager/catalog?q=x").insert_header(("Accept", "text/html"));
    let to_login = site.call(asked).await;
    assert_eq!(to_login.header("location"), "/pager/login?next=%2Fcatalog%3Fq%3Dx");
    let login = site.get("/pager/login").await;
    let (_, style) =
        rooted_attributes(login.text()).into_iter().find(|(_, value)| value.ends_with(".css")).unwrap();
    for uri in [style, style.trim_start_matches("/pager"), "/pager/-/healthy", "/-/healthy"] {
        assert_eq!(site.get(uri).await.status, StatusCode::OK, "{uri}");
    }
    let unknown = site.get("/pager/api/v1/nothing").await.json();
    assert_eq!(unknown["type"], "/pager/problems/not-found");
    assert_eq!(site.get("/pager/problems/not-found").await.status, StatusCode::OK);
    let out = TestRequest::post().uri("/pager/logout").insert_header(("Sec-Fetch-Site", "same-origin"));
    assert_eq!(site.call(out).await.header("location"), "/pager/login");
    assert_eq!(site.get("/pagers/-/healthy").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn alerts_are_taken_below_the_path() {
    let site = below_pager().await;
    for uri in ["/pager/webhooks/alertmanager", "/webhooks/alertmanager", "/pager/webhooks/alertmanager/team"]
    {
        let body = r#"{"alerts":[{"labels":{"alertname":"A"}}]}"#;
        let request = TestRequest::post()
            .uri(uri)
            .insert_header(("Authorization", "Bearer ingest-token-0123456"))
            .insert_header(("Content-Type", "application/json"));
        let answer = site.call(request.set_payload(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
    }
}
