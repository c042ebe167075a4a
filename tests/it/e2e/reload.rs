//! A new configuration while the service runs: all of it or nothing.

use modelpager::fakes::webhook;
use serde_json::{Value, json};

use super::{Providers, delivery};
use crate::support::service::{Service, eventually};

fn config(providers: &Providers, names: &[&str]) -> Value {
    let channel = |name: &&str| json!({"name": name, "kind": "webhook", "url": providers.webhook.url(), "secret": webhook::SECRET});
    let channels: Vec<Value> = names.iter().map(channel).collect();
    json!({"channels": channels, "route": {"channels": names}})
}

/// Refers to a channel that is not there, and has a key nobody knows.
fn bad(providers: &Providers) -> Value {
    let mut config = config(providers, &["first", "second"]);
    config["route"]["channels"] = json!(["first", "missing"]);
    config["delivery"] = json!({"max_agee": "1h"});
    config
}

async fn channel_names(service: &Service) -> Vec<String> {
    let items = service.get("/api/v1/channels").await["items"].clone();
    items.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_changes_nothing_and_a_good_one_works() {
    let providers = Providers::start().await;
    let mut service = Service::start(&config(&providers, &["first"])).await;

    service.write_config(&bad(&providers));
    service.signal("HUP");
    service.wait_for_log("refused").await;
    let printed = service.log();
    assert!(printed.contains("max_agee") && printed.contains("did you mean `max_age`"), "{printed}");
    let reply = service.call("POST", "/-/reload", "").await.unwrap();
    assert_eq!(reply.status, 422, "{}", reply.body);
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("max_agee") && detail.contains("`missing`"), "{detail}");
    assert_eq!(channel_names(&service).await, ["first"]);
    service.deliver(&delivery("BeforeReload")).await;
    service.wait_for_delivered("first", 1).await;

    service.write_config(&config(&providers, &["first", "second"]));
    service.signal("HUP");
    eventually("the new channel", || async { (channel_names(&service).await.len() == 2).then_some(()) })
        .await;
    service.deliver(&delivery("AfterHangup")).await;
    service.wait_for_delivered("second", 1).await;

    service.write_config(&config(&providers, &["first", "second", "third"]));
    let reply = service.call("POST", "/-/reload", "").await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(channel_names(&service).await, ["first", "second", "third"]);
    service.deliver(&delivery("AfterReload")).await;
    service.wait_for_delivered("third", 1).await;
    service.wait_for_delivered("first", 3).await;
    providers.assert_clean();

    service.signal("TERM");
    assert!(service.wait_for_end().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_is_told_where_a_restart_with_another_configuration_sends_it() {
    let providers = Providers::start().await;
    let mut service = Service::start(&config(&providers, &["first"])).await;
    service.deliver(&delivery("StillOpen")).await;
    service.wait_for_delivered("first", 1).await;

    service.write_config(&config(&providers, &["first", "second"]));
    service.restart().await;

    service.wait_for_delivered("second", 1).await;
    providers.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_do_what_was_meant_is_logged_at_the_start_and_by_a_reload_and_stands_on_the_page() {
    let config = |kind: &str| {
        let matcher = format!("entry.kind=\"{kind}\"");
        json!({"channels": [{"name": "a", "kind": "log"}, {"name": "b", "kind": "log"}],
            "route": {"channels": ["a"], "routes": [{"matchers": [matcher], "channels": ["b"]}]}})
    };
    let mut service = Service::start(&config("modell")).await;
    service.wait_for_log("did you mean `model`?").await;
    assert_eq!(service.log().matches("did you mean `model`?").count(), 1, "{}", service.log());
    let page = service.call("GET", "/configuration", "").await.unwrap().body;
    assert!(page.contains("route.routes[0].matchers[0]") && page.contains("did you mean `model`?"), "{page}");

    service.write_config(&config("lmm"));
    let reply = service.call("POST", "/-/reload", "").await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    service.wait_for_log("did you mean `llm`?").await;
    assert_eq!(service.log().matches("did you mean `llm`?").count(), 1, "{}", service.log());

    service.signal("TERM");
    assert!(service.wait_for_end().await.success());
}
