//! What is taken, what is refused, and in which words.

use super::*;
use crate::domain::clock::ManualClock;
use crate::fakes::client::{Reply, post_json};

async fn start() -> (DiscordFake, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_millis(1_503_435_956_000));
    let fake = DiscordFake::start(Arc::new(clock.clone())).await.unwrap();
    (fake, clock)
}

/// Posts with `wait` and without mentions.
async fn send(fake: &DiscordFake, mut body: Value) -> Reply {
    body["allowed_mentions"] = json!({"parse": []});
    post_json(fake.http().address(), &format!("{}?wait=true", path()), &body).await.unwrap()
}

fn rules(fake: &DiscordFake) -> Vec<&'static str> {
    fake.violations().take().into_iter().map(|violation| violation.rule).collect()
}

#[tokio::test]
async fn a_message_that_was_saved_is_named() {
    let (fake, _) = start().await;

    let reply = send(&fake, json!({"embeds": [{"title": "p99", "color": 0xFF_FFFF}]})).await;

    assert_eq!((reply.status, reply.json()["id"].as_str()), (200, Some("1100000000000000001")));
    assert_eq!(fake.messages()[0].body["embeds"][0]["title"], "p99");
    fake.violations().assert_clean();
}

#[tokio::test]
async fn every_limit_is_kept_at_n_and_refused_at_n_and_one() {
    let embed = |key: &str, length: usize| json!({"embeds": [{key: "ü".repeat(length)}]});
    let fields = |count: usize, name: usize, value: usize| {
        let field = json!({"name": "n".repeat(name), "value": "v".repeat(value)});
        json!({"embeds": [{"fields": vec![field; count]}]})
    };
    let two = |length: usize| json!({"embeds": [{"description": "x".repeat(3_000)}, {"description": "x".repeat(length)}]});
    let cases = [
        (json!({"content": "x".repeat(2_000)}), json!({"content": "x".repeat(2_001)})),
        (embed("title", 256), embed("title", 257)),
        (embed("description", 4_096), embed("description", 4_097)),
        (json!({"embeds": [{"title": "🔥".repeat(128)}]}), json!({"embeds": [{"title": "🔥".repeat(129)}]})),
        (fields(25, 1, 1), fields(26, 1, 1)),
        (fields(1, 256, 1_024), fields(1, 257, 1)),
        (fields(1, 1, 1_024), fields(1, 1, 1_025)),
        (fields(1, 1, 1), fields(1, 1, 0)),
        (
            json!({"embeds": vec![json!({"title": "x"}); 10]}),
            json!({"embeds": vec![json!({"title": "x"}); 11]}),
        ),
        (two(3_000), two(3_001)),
        (json!({"embeds": [{"color": 16_777_215}]}), json!({"embeds": [{"color": 16_777_216}]})),
    ];
    for (fits, exceeds) in cases {
        let (fake, _) = start().await;

        assert_eq!(send(&fake, fits).await.status, 200);
        fake.violations().assert_clean();
        let refused = send(&fake, exceeds.clone()).await;

        assert_eq!((refused.status, refused.json()["code"].as_u64()), (400, Some(50_035)), "{exceeds}");
        assert_eq!(rules(&fake), ["discord.form"]);
        assert_eq!(fake.messages().len(), 1);
    }
}

#[tokio::test]
async fn what_is_careless_is_noted() {
    let (fake, _) = start().await;
    let address = fake.http().address();

    let unsure = post_json(address, &path(), &json!({"content": "x"})).await.unwrap();
    let empty = send(&fake, json!({"content": "  "})).await;

    assert_eq!((unsure.status, empty.status, empty.json()["code"].as_u64()), (204, 400, Some(50_006)));
    assert_eq!(rules(&fake), ["discord.mentions", "discord.wait", "discord.empty"]);
}

#[tokio::test]
async fn a_webhook_that_was_deleted_is_unknown() {
    let (fake, _) = start().await;
    fake.delete_webhook();

    let reply = send(&fake, json!({"content": "x"})).await;

    assert_eq!((reply.status, reply.json()["code"].as_u64()), (404, Some(10_015)));
    assert_eq!(rules(&fake), ["discord.webhook"]);
}

#[tokio::test]
async fn throttling_says_how_long_with_a_fraction() {
    let (fake, clock) = start().await;
    fake.limit_rate();
    for _ in 0..5 {
        assert_eq!(send(&fake, json!({"content": "x"})).await.status, 200);
    }
    clock.advance(Duration::from_millis(1_350));

    let reply = send(&fake, json!({"content": "x"})).await;

    assert_eq!((reply.status, reply.json()["retry_after"].as_f64()), (429, Some(0.65)));
    assert!(reply.head.contains("Retry-After: 1\r\n"), "{}", reply.head);
    clock.advance(Duration::from_millis(650));
    assert_eq!(send(&fake, json!({"content": "x"})).await.status, 200);
}
