//! Mails in a mailbox, and a server that fails at every stage.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::ManualClock;
use crate::domain::notification::Snapshot;
use crate::domain::outcome::SendOutcome;
use crate::fakes::smtp::{Fault, SmtpFake, Stage};
use crate::render::{Rendered, samples};

const LIMIT: Duration = Duration::from_secs(20);
/// Enough for a dialogue on a busy machine, short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(500);

fn config(mut settings: Value) -> ChannelConfig {
    settings["name"] = json!("ml-mail");
    settings["kind"] = json!("email");
    serde_json::from_value(settings).unwrap()
}

fn settings(fake: &SmtpFake) -> Value {
    let address = fake.address();
    json!({
        "smtp": {
            "host": address.ip().to_string(), "port": address.port(), "tls": "none",
            "helo": "modelpager.example",
        },
        "from": "Modelpager <modelpager@example.org>",
        "to": ["a@example.org", "B <b@example.org>"],
        "cc": ["c@example.org", "a@example.org"],
    })
}

async fn start() -> (SmtpFake, Box<dyn Channel>) {
    let fake = SmtpFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    let channel = build(&config(settings(&fake)), &Proxies::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    (fake, channel)
}

fn rendered() -> Rendered {
    let fields = [
        ("subject", "[FIRING] latency of Betrugserkennung für Zahlungen is 412 ms"),
        ("text", "p99 is 412 ms\n.\nÜbergabe\n"),
        ("html", "<p>p99 is <b>412 ms</b></p>"),
    ];
    Rendered {
        fields: fields.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        ..Rendered::default()
    }
}

fn message<'a>(id: &'a str, snapshot: &'a Snapshot, rendered: &'a Rendered) -> Message<'a> {
    Message {
        notification_id: id,
        dedup_key: &snapshot.incident.dedup_key,
        snapshot,
        rendered,
        reference: None,
        now: samples::NOW,
    }
}

async fn send(channel: &dyn Channel, id: &str, reference: Option<&Value>, limit: Duration) -> SendReport {
    let (snapshot, rendered) = (samples::firing(), rendered());
    channel.send(&Message { reference, ..message(id, &snapshot, &rendered) }, limit).await
}

#[tokio::test]
async fn a_mail_arrives_as_text_and_html_for_everybody_once() {
    let (fake, channel) = start().await;

    let report = send(&*channel, "n-1", None, LIMIT).await;

    assert_eq!((report.outcome, report.status, report.error), (SendOutcome::Accepted, Some(250), None));
    let mail = fake.mails().remove(0);
    assert_eq!(mail.to, ["a@example.org", "b@example.org", "c@example.org"]);
    assert_eq!(mail.subject(), "[FIRING] latency of Betrugserkennung für Zahlungen is 412 ms");
    assert_eq!(mail.text().replace("\r\n", "\n").trim_end(), "p99 is 412 ms\n.\nÜbergabe");
    assert_eq!(mail.html().trim_end(), "<p>p99 is <b>412 ms</b></p>");
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert_eq!(mail.header("Date").as_deref(), Some("Thu, 20 Aug 2026 10:48:00 +0000"));
    assert_eq!(mail.message_id(), "<n-1@example.org>");
    fake.violations().assert_clean();
}

#[test]
fn the_mail_has_this_shape() {
    let settings = json!({
        "smtp": {"host": "mail.example.org", "helo": "modelpager.example"},
        "from": "Modelpager <modelpager@example.org>",
        "to": ["team@example.org"],
    });
    let channel = build(&config(settings), &Proxies::default()).ok().unwrap();
    let (snapshot, rendered) = (samples::firing(), rendered());

    insta::assert_snapshot!(channel.preview(&message("n-1", &snapshot, &rendered)).body.replace('\r', ""));
}

#[tokio::test]
async fn the_mails_of_an_incident_form_a_thread() {
    let (fake, channel) = start().await;
    let first = send(&*channel, "n-1", None, LIMIT).await;
    let second = send(&*channel, "n-2", first.reference.as_ref(), LIMIT).await;
    let _ = send(&*channel, "n-3", second.reference.as_ref(), LIMIT).await;

    let root = "<incident-0198c6f0-5e2a-7000-8000-00000000a11e@example.org>";
    let threads: Vec<(String, String)> = fake
        .mails()
        .iter()
        .map(|mail| (mail.header("References").unwrap(), mail.header("In-Reply-To").unwrap()))
        .collect();
    let later = (format!("{root} <n-1@example.org>"), "<n-1@example.org>".to_owned());
    assert_eq!(threads, [(root.to_owned(), root.to_owned()), later.clone(), later]);
}

#[tokio::test]
async fn every_stage_of_the_dialogue_has_its_outcomes() {
    use SendOutcome::{Ambiguous, NotProcessed, Rejected};
    let cases = [
        (Stage::Connect, 421, NotProcessed),
        (Stage::Connect, 554, Rejected),
        (Stage::Ehlo, 550, Rejected),
        (Stage::MailFrom, 451, NotProcessed),
        (Stage::MailFrom, 530, Rejected),
        (Stage::RcptTo, 421, NotProcessed),
        (Stage::Data, 451, NotProcessed),
        (Stage::Data, 554, Rejected),
        (Stage::Message, 452, NotProcessed),
        (Stage::Message, 552, Rejected),
    ];
    let (fake, channel) = start().await;
    for (stage, code, outcome) in cases {
        fake.clear();
        fake.script(stage, Fault::reply(code, "5.0.0 scripted"));

        let report = send(&*channel, "n-1", None, LIMIT).await;

        assert_eq!((report.outcome, report.status), (outcome, Some(code)), "{stage:?}: {report:?}");
        assert_eq!(report.slows_channel, code == 421, "{stage:?} {code}");
    }
    for stage in [Stage::Connect, Stage::Ehlo, Stage::MailFrom, Stage::RcptTo, Stage::Data, Stage::Message] {
        for fault in [Fault::Drop, Fault::Hang] {
            fake.clear();
            fake.script(stage, fault.clone());

            let limit = if fault == Fault::Hang { SHORT } else { LIMIT };
            let report = send(&*channel, "n-1", None, limit).await;

            let outcome = if stage == Stage::Message { Ambiguous } else { NotProcessed };
            assert_eq!(report.outcome, outcome, "{stage:?} {fault:?}: {report:?}");
        }
    }
    assert!(fake.mails().is_empty());
}

#[tokio::test]
async fn a_mail_that_may_have_arrived_is_repeated_under_the_same_id() {
    let (fake, channel) = start().await;
    fake.script(Stage::Message, Fault::DropAfterTaking);

    let first = send(&*channel, "n-1", None, LIMIT).await;
    let second = send(&*channel, "n-1", None, LIMIT).await;

    assert_eq!((first.outcome, second.outcome), (SendOutcome::Ambiguous, SendOutcome::Accepted));
    let mails = fake.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].raw, mails[1].raw);
}

#[tokio::test]
async fn refused_recipients_are_named_while_the_others_have_the_mail() {
    let (fake, channel) = start().await;
    fake.refuse_recipient("b@example.org", 550, "5.1.1 no such user");

    let report = send(&*channel, "n-1", None, LIMIT).await;

    assert_eq!(report.outcome, SendOutcome::Accepted);
    let error = report.error.unwrap();
    assert!(
        error.starts_with("refused for good: b@example.org (") && error.contains("no such user"),
        "{error}"
    );
    assert_eq!(fake.mails()[0].to, ["a@example.org", "c@example.org"]);
}

#[tokio::test]
async fn recipients_put_off_get_the_mail_later_and_the_others_not_again() {
    let (fake, channel) = start().await;
    fake.refuse_recipient("b@example.org", 451, "4.7.1 greylisted");

    let first = send(&*channel, "n-1", None, LIMIT).await;
    assert_eq!((first.outcome, first.status), (SendOutcome::NotProcessed, Some(451)));
    let again = send(&*channel, "n-1", first.reference.as_ref(), LIMIT).await;
    assert_eq!(again.outcome, SendOutcome::NotProcessed);
    fake.clear();
    let last = send(&*channel, "n-1", again.reference.as_ref(), LIMIT).await;
    let next = send(&*channel, "n-2", last.reference.as_ref(), LIMIT).await;

    assert_eq!((last.outcome, next.outcome), (SendOutcome::Accepted, SendOutcome::Accepted));
    let recipients: Vec<Vec<String>> = fake.mails().into_iter().map(|mail| mail.to).collect();
    let all = ["a@example.org", "b@example.org", "c@example.org"];
    assert_eq!(recipients, [vec![all[0], all[2]], vec![all[1]], all.to_vec()]);
}

#[tokio::test]
async fn nobody_taken_is_refused_or_put_off() {
    let (fake, channel) = start().await;
    for address in ["a@example.org", "b@example.org", "c@example.org"] {
        fake.refuse_recipient(address, 550, "5.1.1 no such user");
    }
    let refused = send(&*channel, "n-1", None, LIMIT).await;
    fake.refuse_recipient("c@example.org", 450, "4.2.0 later");
    let put_off = send(&*channel, "n-1", None, LIMIT).await;

    assert_eq!((refused.outcome, refused.status), (SendOutcome::Rejected, Some(550)));
    assert_eq!((put_off.outcome, put_off.status), (SendOutcome::NotProcessed, Some(450)));
    assert!(fake.mails().is_empty());
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let fake = SmtpFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    let mut settings = settings(&fake);
    settings["smtp"]["tls"] = json!("starttls");
    settings["smtp"]["username"] = json!("me");
    settings["smtp"]["password"] = json!("canary-password");
    let channel = build(&config(settings), &Proxies::default()).ok().unwrap();

    let report = send(&*channel, "n-1", None, LIMIT).await;

    assert_eq!(report.outcome, SendOutcome::Rejected, "{report:?}");
    assert!(report.error.unwrap().contains("STARTTLS"));
    assert!(fake.mails().is_empty());
    fake.violations().assert_clean();
}

#[tokio::test]
async fn a_server_that_never_ends_its_line_is_left() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = 0_usize;
        let endless = [b'x'; 64 * 1024];
        while tokio::io::AsyncWriteExt::write_all(&mut stream, &endless).await.is_ok() {
            sent += endless.len();
        }
        sent
    });
    let settings = json!({
        "smtp": {"host": "127.0.0.1", "port": address.port(), "tls": "none"},
        "from": "a@example.org", "to": ["b@example.org"],
    });
    let channel = build(&config(settings), &Proxies::default()).ok().unwrap();

    let report = send(&*channel, "n-1", None, LIMIT).await;

    assert_eq!(report.outcome, SendOutcome::NotProcessed, "{report:?}");
    assert!(report.error.unwrap().contains("more than a mail server has to say"));
    assert!(server.await.unwrap() < 64 * 1024 * 1024);
}

/// Takes a mail's recipient with this reply, and everything else with 250.
async fn answer_recipient(listener: tokio::net::TcpListener, reply: &'static [u8]) {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
    let (stream, _) = listener.accept().await.unwrap();
    let (read, mut write) = stream.into_split();
    write.write_all(b"220 m\xfcller.example\r\n").await.unwrap();
    let mut lines = tokio::io::BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let reply = if line.starts_with("RCPT") { reply } else { b"250 m\xfcller.example\r\n" };
        // Who has heard enough hangs up.
        if write.write_all(reply).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_refusal_is_understood_whatever_bytes_its_text_has() {
    for (reply, told) in [
        (&b"550 Postfach nicht verf\xfcgbar\r\n"[..], "Postfach nicht verf?gbar"),
        (&b"550 mailbox\0gone\r\n"[..], "mailbox\0gone"),
        (&b"550-\xff\xfe\r\n550 \x1b[31m\x80\r\n"[..], "[31m?"),
        ("550 Postfach nicht verfügbar\r\n".as_bytes(), "Postfach nicht verfügbar"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(answer_recipient(listener, reply));
        let settings = json!({
            "smtp": {"host": "127.0.0.1", "port": port, "tls": "none"},
            "from": "a@example.org", "to": ["b@example.org"],
        });
        let channel = build(&config(settings), &Proxies::default()).ok().unwrap();

        let report = send(&*channel, "n-1", None, LIMIT).await;

        assert_eq!((report.outcome, report.status), (SendOutcome::Rejected, Some(550)), "{report:?}");
        assert!(report.error.as_ref().is_some_and(|error| error.contains(told)), "{report:?}");
        server.abort();
    }
}

#[test]
fn each_way_of_setting_it_up_wrong_is_told_under_its_key() {
    let cases = [
        (json!({"smtp": {"host": ""}}), "smtp.host"),
        (json!({"smtp": {"host": "a b"}}), "smtp.host"),
        (json!({"smtp": {"host": "h", "port": 0}}), "smtp.port"),
        (json!({"smtp": {"host": "h", "username": "u"}}), "smtp.password"),
        (json!({"smtp": {"host": "h", "password": "p"}}), "smtp.username"),
        (json!({"smtp": {"host": "h", "tls": "none", "username": "u", "password": "p"}}), "smtp.tls"),
        (json!({"smtp": {"host": "h", "helo": "x\r\nQUIT"}}), "smtp.helo"),
        (json!({"smtp": {"host": "h", "ca": "no certificate"}}), "smtp.ca"),
        (json!({"from": "nobody"}), "from"),
        (json!({"from": "A\r\nBcc: b@c.d <a@b.c>"}), "from"),
        (json!({"to": []}), "to"),
        (json!({"to": ["a@b.c", "nobody"]}), "to[1]"),
        (json!({"cc": ["nobody"]}), "cc[0]"),
        (json!({"smtp": {"host": "h", "tls": "maybe"}}), ""),
    ];
    for (wrong, key) in cases {
        let mut settings = json!({"smtp": {"host": "h"}, "from": "a@b.c", "to": ["a@b.c"]});
        for (name, value) in wrong.as_object().unwrap() {
            settings[name] = value.clone();
        }

        let problems = build(&config(settings), &Proxies::default()).err().unwrap();

        assert!(problems.iter().any(|problem| problem.key == key), "{wrong}: {problems:?}");
    }
}

#[test]
fn what_a_server_repeats_of_the_login_is_not_shown() {
    use base64::Engine as _;
    let smtp: SmtpSettings = serde_json::from_value(
        json!({"host": "mail.example.org", "username": "me", "password": "canary-password"}),
    )
    .unwrap();
    let plain = base64::prelude::BASE64_STANDARD.encode("\0me\0canary-password");

    let shown = redactor(&smtp).redact(&format!("535 AUTH PLAIN {plain} was refused"));

    assert_eq!(shown, "535 AUTH PLAIN <secret> was refused");
}

#[tokio::test]
async fn a_login_that_is_refused_does_not_tell_the_password() {
    let fake = SmtpFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    fake.require_login("modelpager", "another");
    let mut settings = settings(&fake);
    settings["smtp"]["username"] = json!("modelpager");
    settings["smtp"]["password"] = json!("canary-smtp-password");
    let channel = build(&config(settings), &Proxies::default()).ok().unwrap();
    let (snapshot, rendered) = (samples::firing(), rendered());

    let report = channel.send(&message("n-1", &snapshot, &rendered), LIMIT).await;

    assert_eq!((report.outcome, report.status), (SendOutcome::Rejected, Some(535)));
    assert!(!format!("{report:?}").contains("canary"), "{report:?}");
}
