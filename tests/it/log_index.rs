//! The log's index: lists answer the same with it, without it, and while it is written.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use actix_web::body::MessageBody as _;
use actix_web::dev::Service as _;
use actix_web::test::TestRequest;
use actix_web::web;
use modelpager::config::Config;
use modelpager::domain::clock::Clock as _;
use modelpager::domain::severity::Severity;
use modelpager::store::outbox::Next;
use modelpager::web::server;
use serde_json::Value;

use crate::log_support::{Case, Ids, told};
use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::Site;

on_both_databases! {
    every_list_is_the_same_before_while_and_after_it_is_indexed,
    what_was_unfinished_when_it_was_indexed_is_found_by_what_became_of_it,
    a_redelivered_message_is_found_by_its_new_end,
    an_export_reads_on_only_as_its_reader_does,
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Channels, rules, entries and severities in many combinations; some never meet.
fn cases(count: usize) -> Vec<Case> {
    let case = |n: usize| Case {
        entry: ["fraud-detector", "llm-gateway", "churn", ""][n / 3 % 4],
        severity: [Severity::Critical, Severity::High, Severity::Low][n % 3],
        end: None,
        ..told(
            ["console", "pager", "mail"][n % 3],
            ["LatencyHigh", "ErrorBudget", "GPUMemoryLow", "Stale"][n / 7 % 4],
        )
    };
    (0..count).map(case).collect()
}

impl Site {
    async fn index(&self) -> usize {
        let mut steps = 0;
        while self.state.store.index_log().await.unwrap() {
            steps += 1;
            assert!(steps < 200, "indexing does not come to an end");
        }
        steps
    }

    /// The ids of a whole list, page by page.
    async fn whole(&self, list: &str, query: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = self.get(&format!("/api/v1/{list}?{query}&limit=450{cursor}")).await;
            let page = answer.json();
            let items = page["items"].as_array().unwrap_or_else(|| panic!("{query}: {page}"));
            all.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Value::String(next) = &page["next_cursor"] else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    async fn lists(&self) -> Vec<(String, Vec<String>)> {
        let mut all = Vec::new();
        for query in [
            "",
            "state=delivered",
            "state=failed",
            "state=pending",
            "channel=console",
            "channel=nowhere",
            "severity=low",
            "entry=(none)",
            "entry=churn&channel=mail",
            "entry=churn&channel=mail&state=delivered",
            "alertname=LatencyHigh&severity=critical&channel=console",
            "alertname=Stale&state=failed",
            "q=latency",
            "q=budget%20gateway",
            "q=memorylow",
            "q=2.4%20s&channel=pager",
            "q=gone",
            "q=ency",
            "q=console%20pager",
            "since=2026-08-20T10:05:00Z&until=2026-08-20T10:12:00Z",
            "since=2026-08-20T10:05:00Z&until=2026-08-20T10:12:00Z&channel=mail&q=fraud",
        ] {
            all.push((query.to_owned(), self.whole("notifications", query).await));
        }
        for query in
            ["", "entry=churn", "entry=churn&alertname=Stale", "q=gpu%20churn", "severity=low&entry=(none)"]
        {
            all.push((format!("incidents {query}"), self.whole("incidents", query).await));
        }
        all
    }
}

/// A site whose messages nobody but the test touches: it serves none of their channels, and
/// would withdraw them as the hours pass.
async fn quiet_site(database: Fresh) -> Site {
    let site = Site::over(database, Config::default()).await;
    site.state.dispatcher.stop(Duration::from_secs(5)).await;
    site
}

async fn every_list_is_the_same_before_while_and_after_it_is_indexed(database: Fresh) {
    let site = quiet_site(database).await;
    site.owe_many(&cases(1_200)).await;
    let now = site.clock.now();
    site.attempt("console", &Next::Delivered, now).await;
    site.attempt("pager", &Next::Failed("the hook is gone".to_owned()), now).await;
    let compared = site.lists().await;
    let found =
        |query: &str| compared.iter().find(|(asked, _)| asked == query).map_or(0, |(_, ids)| ids.len());
    assert_eq!((found(""), found("state=delivered"), found("state=pending")), (1_200, 400, 400));
    assert_eq!((found("q=gone"), found("q=ency"), found("q=console%20pager")), (400, 0, 0));
    assert!(found("entry=churn&alertname=Stale") == 0 && found("incidents entry=churn&alertname=Stale") > 50);

    site.clock.advance(HOUR);
    // One step at a time: some are in the index before others are.
    assert!(site.state.store.index_log().await.unwrap());
    assert_eq!(site.lists().await, compared);
    assert!(site.index().await > 0);
    assert_eq!(site.lists().await, compared);
}

async fn what_was_unfinished_when_it_was_indexed_is_found_by_what_became_of_it(database: Fresh) {
    let site = quiet_site(database).await;
    site.owe_many(&cases(900)).await;
    site.clock.advance(HOUR);
    assert!(site.index().await > 0);
    assert_eq!(site.whole("notifications", "q=2.4&channel=mail").await.len(), 0);

    site.attempt("mail", &Next::Delivered, site.clock.now()).await;

    for _ in 0..2 {
        assert_eq!(site.whole("notifications", "q=2.4&channel=mail").await.len(), 300);
        assert_eq!(site.whole("notifications", "state=delivered").await.len(), 300);
        assert_eq!(site.whole("notifications", "state=pending&channel=mail").await.len(), 0);
        site.index().await;
    }
}

async fn a_redelivered_message_is_found_by_its_new_end(database: Fresh) {
    let mut config = Config::default();
    config.channels.push(modelpager::config::ChannelConfig::new("pager", "log"));
    let site = Site::over(database, config).await;
    site.state.dispatcher.stop(Duration::ZERO).await;
    let ids: Vec<Ids> = site.owe_many(&cases(900)).await;
    site.attempt("pager", &Next::Failed("the hook is gone".to_owned()), site.clock.now()).await;
    site.clock.advance(HOUR);
    site.index().await;
    let failed = site.whole("notifications", "state=failed&q=gone").await;
    assert_eq!(failed.len(), 300);
    let chosen = &ids.iter().find(|ids| failed.contains(&ids.notification)).unwrap().notification;

    let answer = site.post(&format!("/api/v1/notifications/{chosen}/redeliver"), "").await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());

    let check = async |state: &str| {
        assert_eq!(site.whole("notifications", "state=failed&q=gone").await.len(), 299);
        assert_eq!(
            &site.whole("notifications", &format!("state={state}&channel=pager")).await,
            std::slice::from_ref(chosen)
        );
    };
    check("pending").await;
    site.index().await;
    check("pending").await;
    site.attempt("pager", &Next::Delivered, site.clock.now()).await;
    check("delivered").await;
    site.clock.advance(HOUR);
    site.index().await;
    check("delivered").await;
}

async fn an_export_reads_on_only_as_its_reader_does(database: Fresh) {
    let site = quiet_site(database).await;
    site.owe_many(&cases(1_200)).await;
    let service = actix_web::test::init_service(server::app(web::Data::new(site.state.clone()))).await;
    let request = TestRequest::get().uri("/api/v1/notifications?format=ndjson").to_request();
    let mut body = pin!(service.call(request).await.map_err(|error| error.to_string()).unwrap().into_body());
    let mut next = async || poll_fn(|cx| body.as_mut().poll_next(cx)).await.map(Result::unwrap);
    let states = |part: &[u8]| -> Vec<String> {
        let state =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["state"].as_str().unwrap().to_owned();
        std::str::from_utf8(part).unwrap().lines().map(state).collect()
    };

    let first = states(&next().await.unwrap());
    for channel in ["console", "pager", "mail"] {
        site.attempt(channel, &Next::Delivered, site.clock.now()).await;
    }
    let mut rest = Vec::new();
    while let Some(part) = next().await {
        rest.extend(states(&part));
    }

    assert!(first.iter().all(|state| state == "pending") && rest.iter().all(|state| state == "delivered"));
    assert_eq!((first.len(), first.len() + rest.len()), (500, 1_200));
}
