//! An incident's mails through a real mail server that insists on TLS and a login.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use modelpager::domain::clock::SystemClock;
use modelpager::fakes::smtp::{Fault, SmtpFake, Stage};
use serde_json::json;

use super::{delivery, latency_alert};
use crate::support::alertmanager::{Alertmanager, Settings, resolved};
use crate::support::service::{LIMIT, Service, eventually};
use crate::support::smtp_real::{self, Encryption, RealSmtp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_mail_server_gets_the_mails_of_an_incident_as_one_thread() {
    let login = Some(("pager".to_owned(), "correct horse".to_owned()));
    let tls = smtp_real::Settings { tls: Encryption::StartTls, login };
    let Some(server) = RealSmtp::start("a_real_mail_server_gets", &tls).await else { return };
    let config = json!({
        "channels": [{
            "name": "mail", "kind": "email", "from": "Modelpager <pager@ml.example>",
            "to": ["team@ml.example"], "cc": ["leads@ml.example"],
            "smtp": {
                "host": "localhost", "port": server.port(), "tls": "starttls", "username": "pager",
                "password": "correct horse", "ca_file": server.ca_file(),
            },
        }],
        "route": {"channels": ["mail"], "group_interval": "50ms"},
    });
    let service = Service::start(&config).await;
    let settings = Settings::new(&service.webhook_url());
    let Some(alertmanager) = Alertmanager::start("a_real_mail_server_gets", &settings).await else { return };
    let alert = latency_alert("größe:9000");

    alertmanager.post_alerts(std::slice::from_ref(&alert)).await;
    service.wait_for_delivered("mail", 1).await;
    alertmanager.post_alerts(&[resolved(&alert)]).await;
    let told = service.wait_for_delivered("mail", 2).await;

    let mails = server.wait_for_mails(2, LIMIT).await;
    assert_eq!(mails.len(), 2);
    for (mail, one) in mails.iter().zip(&told) {
        assert!(mail.tls && mail.login);
        let mail = &mail.mail;
        assert_eq!(mail.to, ["team@ml.example", "leads@ml.example"]);
        assert_eq!(one["title"], mail.subject());
        assert!(mail.message_id().contains(one["id"].as_str().unwrap()), "{}", mail.message_id());
        let types: Vec<&str> = mail.parts.iter().map(|part| part.media_type.as_str()).collect();
        assert_eq!(types, ["text/plain", "text/html"]);
        for text in [mail.text(), mail.html()] {
            assert!(text.contains("p99 latency is 2.4 s") && text.contains("größe:9000"), "{text}");
        }
    }
    let [first, last] = [&mails[0].mail, &mails[1].mail];
    assert!(first.subject().contains("CRITICAL") && last.subject().contains("RESOLVED"));
    assert_eq!(last.header("In-Reply-To"), Some(first.message_id()));
    assert!(last.header("References").unwrap().ends_with(&first.message_id()));
}

/// What a login looks like on the wire, in every form a server may send back.
fn forms_of(user: &str, password: &str) -> Vec<String> {
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    vec![password.to_owned(), encoded(password), encoded(&format!("\0{user}\0{password}"))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_sends_the_login_back_shows_the_password_to_nobody() {
    let fake = SmtpFake::start(Arc::new(SystemClock)).await.unwrap();
    let password = "correct-horse-9f2c71";
    let secrets = forms_of("pager", password);
    fake.require_login("pager", password);
    let echo =
        format!("5.7.8 not allowed: AUTH PLAIN {}, or LOGIN {} {}", secrets[2], secrets[1], secrets[0]);
    fake.always(Stage::Auth, Fault::reply(535, &echo));
    let config = json!({
        "channels": [{
            "name": "mail", "kind": "email", "from": "pager@ml.example", "to": ["team@ml.example"],
            "smtp": {
                "host": "127.0.0.1", "port": fake.address().port(), "tls": "none",
                "username": "pager", "password": password,
            },
        }],
        "route": {"channels": ["mail"]},
    });
    let service = Service::start(&config).await;

    service.deliver(&delivery("Undeliverable")).await;

    service.wait_for_processed(1).await;
    let id = service.list("/api/v1/notifications").await[0]["id"].as_str().unwrap().to_owned();
    let attempt = eventually("a failed attempt", || async {
        let attempt = service.get(&format!("/api/v1/notifications/{id}")).await["attempts"][0].clone();
        (!attempt.is_null()).then_some(attempt)
    })
    .await;
    let told = format!("{} {}", attempt["error"], attempt["response"]);
    assert!(told.contains("not allowed"), "the server's own words are told: {told}");
    let mut shown = vec![("log".to_owned(), service.log())];
    for path in [
        "/api/v1/notifications",
        &format!("/api/v1/notifications/{id}"),
        "/api/v1/channels",
        "/api/v1/channels/mail",
        "/",
        "/notifications",
        &format!("/notifications/{id}"),
        "/channels",
        "/channels/mail",
        "/configuration",
    ] {
        let reply = service.call("GET", path, "").await.unwrap();
        assert_eq!(reply.status, 200, "{path}");
        shown.push((path.to_owned(), reply.body));
    }
    for (place, text) in shown {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{place} shows {secret}: {text}");
        }
    }
}
