//! Both ways into the workspace: what is taken, what is refused, and in which words.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::{ManualClock, Timestamp};
use crate::fakes::client::{Reply, post, post_json};
use crate::fakes::engine::Step;

async fn start() -> (SlackFake, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_millis(1_503_435_956_000));
    let fake = SlackFake::start(Arc::new(clock.clone())).await.unwrap();
    (fake, clock)
}

async fn call(fake: &SlackFake, method: &str, body: &Value) -> Reply {
    let authorization = format!("Bearer {TOKEN}");
    let headers =
        [("Authorization", authorization.as_str()), ("Content-Type", "application/json; charset=utf-8")];
    let path = format!("/api/{method}");
    post(fake.http().address(), &path, &headers, body.to_string().as_bytes()).await.unwrap()
}

async fn hook(fake: &SlackFake, body: &Value) -> Reply {
    post_json(fake.http().address(), WEBHOOK_PATH, body).await.unwrap()
}

fn rules(fake: &SlackFake) -> Vec<&'static str> {
    fake.violations().take().into_iter().map(|violation| violation.rule).collect()
}

#[tokio::test]
async fn the_webhook_answers_exactly_ok() {
    let (fake, _) = start().await;

    let reply = hook(&fake, &json!({"text": "Hello, world."})).await;

    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
    assert!(reply.head.contains("Content-Type: text/plain"));
    assert_eq!(fake.messages()[0].visible_text(), "Hello, world.");
    fake.violations().assert_clean();
}

#[tokio::test]
async fn the_webhook_takes_a_form_with_a_payload() {
    let (fake, _) = start().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");

    let reply =
        post(fake.http().address(), WEBHOOK_PATH, &[form], b"payload=%7B%22text%22%3A%22a%22%7D").await;

    assert_eq!(reply.unwrap().text(), "ok");
    assert_eq!(fake.messages()[0].content.text, "a");
}

#[tokio::test]
async fn the_webhook_refuses_in_plain_words() {
    let (fake, _) = start().await;
    let blocks =
        json!({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}}]});

    let no_text = hook(&fake, &json!({})).await;
    assert_eq!((no_text.status, no_text.text().as_str()), (400, "no_text"));
    let invalid = hook(&fake, &blocks).await;
    assert_eq!((invalid.status, invalid.text().as_str()), (400, "invalid_blocks"));
    let broken = post(fake.http().address(), WEBHOOK_PATH, &[], b"hello").await.unwrap();
    assert_eq!((broken.status, broken.text().as_str()), (400, "invalid_payload"));
    let unknown = post_json(fake.http().address(), "/services/T/B/x", &json!({"text": "x"})).await.unwrap();
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "no_service"));
    fake.set_channel(CHANNEL, ChannelState::Archived);
    let archived = hook(&fake, &json!({"text": "x"})).await;
    assert_eq!((archived.status, archived.text().as_str()), (410, "channel_is_archived"));

    assert!(fake.messages().is_empty());
    assert_eq!(rules(&fake), ["slack.content", "slack.content", "slack.payload", "slack.webhook_path"]);
}

#[tokio::test]
async fn a_message_is_posted_edited_and_answered_in_its_thread() {
    let (fake, clock) = start().await;

    let posted = call(&fake, "chat.postMessage", &json!({"channel": CHANNEL, "text": "firing"})).await.json();
    assert_eq!(posted["ok"], true);
    assert_eq!(posted["channel"], CHANNEL);
    assert_eq!(posted["message"]["text"], "firing");
    let ts = posted["ts"].as_str().unwrap();
    assert_eq!(ts, "1503435956.000000");
    clock.advance(Duration::from_secs(60));
    let reply = json!({"channel": CHANNEL, "text": "resolved", "thread_ts": ts, "reply_broadcast": true});
    assert_eq!(call(&fake, "chat.postMessage", &reply).await.json()["message"]["thread_ts"], ts);
    let edit = json!({"channel": CHANNEL, "ts": ts, "text": "firing, now over"});
    assert_eq!(call(&fake, "chat.update", &edit).await.json()["ok"], true);

    let messages = fake.messages();
    assert_eq!(messages[0].visible_text(), "firing, now over");
    assert_eq!(messages[0].earlier[0].text, "firing");
    let thread = fake.thread(CHANNEL, ts);
    assert_eq!(thread.len(), 1);
    assert!(thread[0].broadcast);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn the_api_says_no_with_status_200() {
    let (fake, _) = start().await;
    fake.set_channel("C2", ChannelState::NotMember);
    fake.set_channel("C3", ChannelState::Archived);
    let text = |channel: &str| json!({"channel": channel, "text": "x"});
    let cases = [
        ("chat.postMessage", text("C9"), "channel_not_found"),
        ("chat.postMessage", text("C2"), "not_in_channel"),
        ("chat.postMessage", text("C3"), "is_archived"),
        ("chat.postMessage", json!({"channel": CHANNEL}), "no_text"),
        (
            "chat.postMessage",
            json!({"channel": CHANNEL, "text": "x", "thread_ts": "1.2"}),
            "thread_not_found",
        ),
        ("chat.update", json!({"channel": CHANNEL, "text": "x", "ts": "1.2"}), "message_not_found"),
        ("chat.update", json!({"channel": CHANNEL, "text": "x"}), "message_not_found"),
        ("chat.delete", json!({}), "unknown_method"),
    ];
    for (method, body, code) in cases {
        let reply = call(&fake, method, &body).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json(), json!({"ok": false, "error": code}), "{method} {body}");
    }
    assert_eq!(rules(&fake).len(), 8);
    assert!(fake.messages().is_empty());
}

#[tokio::test]
async fn the_token_must_be_known() {
    let (fake, _) = start().await;
    let body = json!({"channel": CHANNEL, "text": "x"});

    let without = post_json(fake.http().address(), "/api/chat.postMessage", &body).await.unwrap();
    assert_eq!(without.json()["error"], "not_authed");
    let wrong = [("Authorization", "Bearer xoxb-other"), ("Content-Type", "application/json")];
    let wrong = post(fake.http().address(), "/api/auth.test", &wrong, b"{}").await.unwrap();
    assert_eq!(wrong.json()["error"], "invalid_auth");
    assert_eq!(call(&fake, "auth.test", &json!({})).await.json()["ok"], true);
    let open = post_json(fake.http().address(), "/api/api.test", &json!({"foo": "bar"})).await.unwrap();
    assert_eq!(open.json(), json!({"ok": true, "args": {"foo": "bar"}}));
}

#[tokio::test]
async fn invalid_blocks_are_pointed_at() {
    let (fake, _) = start().await;
    let long = json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3001)}});
    let body = json!({"channel": CHANNEL, "text": "x", "blocks": [{"type": "divider"}, long]});

    let reply = call(&fake, "chat.postMessage", &body).await.json();

    assert_eq!(reply["error"], "invalid_blocks");
    assert_eq!(
        reply["response_metadata"]["messages"],
        json!(["[ERROR] must be less than 3001 characters [json-pointer:/blocks/1/text/text]"])
    );
    assert_eq!(rules(&fake), ["slack.content"]);
}

#[tokio::test]
async fn a_mention_is_delivered_and_noted() {
    let (fake, _) = start().await;
    let block = json!({"type": "section", "text": {"type": "mrkdwn", "text": "model <!channel> down"}});

    hook(&fake, &json!({"text": "x", "blocks": [block]})).await;

    assert_eq!(fake.messages().len(), 1);
    assert_eq!(rules(&fake), ["slack.mention"]);
}

#[tokio::test]
async fn replies_to_replies_and_missing_fallbacks_are_noted() {
    let (fake, _) = start().await;
    let post = |body: Value| {
        let fake = &fake;
        async move { call(fake, "chat.postMessage", &body).await.json() }
    };
    let parent = post(json!({"channel": CHANNEL, "text": "a"})).await["ts"].clone();
    let reply = post(json!({"channel": CHANNEL, "text": "b", "thread_ts": parent})).await["ts"].clone();
    fake.violations().assert_clean();

    post(json!({"channel": CHANNEL, "text": "c", "thread_ts": reply})).await;
    post(json!({"channel": CHANNEL, "blocks": [{"type": "divider"}]})).await;

    assert_eq!(rules(&fake), ["slack.thread_parent", "slack.fallback_text"]);
}

#[tokio::test]
async fn a_limited_channel_asks_to_wait_and_others_do_not() {
    let (fake, clock) = start().await;
    fake.set_channel("C2", ChannelState::Member);
    fake.limit_rate(2);
    let to = |channel: &str| json!({"channel": channel, "text": "x"});
    for _ in 0..2 {
        assert_eq!(call(&fake, "chat.postMessage", &to(CHANNEL)).await.status, 200);
    }

    let limited = call(&fake, "chat.postMessage", &to(CHANNEL)).await;
    assert_eq!(limited.status, 429);
    assert!(limited.head.contains("Retry-After: 1"));
    assert_eq!(limited.json()["error"], "ratelimited");
    assert_eq!(hook(&fake, &json!({"text": "x"})).await.status, 429, "the webhook shares the channel");
    assert_eq!(call(&fake, "chat.postMessage", &to("C2")).await.status, 200);

    clock.advance(Duration::from_secs(1));
    assert_eq!(call(&fake, "chat.postMessage", &to(CHANNEL)).await.status, 200);
    assert_eq!(fake.messages().len(), 4);
}

#[tokio::test]
async fn an_internal_error_after_the_work_leaves_the_message_there() {
    let (fake, _) = start().await;
    let fatal = Answer::json(200, &json!({"ok": false, "error": "fatal_error"}));
    fake.http().script([Step::answer(fatal).applied()]);

    let reply = call(&fake, "chat.postMessage", &json!({"channel": CHANNEL, "text": "x"})).await;

    assert_eq!(reply.json()["error"], "fatal_error");
    assert_eq!(fake.messages().len(), 1);
}
