//! The harness itself: that the real programs start, do what the tests need, and leave
//! nothing behind; and the fakes against clients that are not ours.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::{MultiPart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as ClientTls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use modelpager::domain::clock::SystemClock;
use modelpager::fakes::engine::{Answer, HttpServer, Provider, Request, Step};
use modelpager::fakes::smtp::{Fault, SmtpFake, Stage};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::support::alertmanager::{Alertmanager, Pair, Settings, firing, resolved};
use crate::support::program::{self, Program};
use crate::support::smtp_real::{self, Encryption, RealSmtp};
use crate::support::{http, postgres};

const LIMIT: Duration = Duration::from_secs(30);

/// Takes whatever is posted.
struct Taker;

impl Provider for Taker {
    fn answer(&self, _: &Request) -> Answer {
        Answer::text(200, "")
    }
}

async fn receiver() -> HttpServer {
    HttpServer::start(Arc::new(SystemClock), Box::new(Taker)).await.unwrap()
}

/// What each request said: status, alertnames.
fn told(server: &HttpServer) -> Vec<(String, Vec<String>)> {
    let name = |alert: &serde_json::Value| alert["labels"]["alertname"].as_str().unwrap().to_owned();
    let requests = server.requests();
    let bodies = requests.iter().map(|request| request.json().unwrap());
    bodies
        .map(|body| {
            let names = body["alerts"].as_array().unwrap().iter().map(name).collect();
            (body["status"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}

#[tokio::test]
async fn alertmanager_tells_what_fires_and_what_is_over() {
    let receiver = receiver().await;
    let mut settings = Settings::new(&receiver.url());
    settings.token = Some("ingest-token".to_owned());
    let Some(alertmanager) = Alertmanager::start("alertmanager_tells", &settings).await else { return };

    let alert = firing(&[("alertname", "Drift"), ("model", "fraud")], &[("summary", "it drifts")]);
    alertmanager.post_alerts(std::slice::from_ref(&alert)).await;
    receiver.wait_for_requests(1, LIMIT).await;
    alertmanager.post_alerts(&[resolved(&alert)]).await;
    let requests = receiver.wait_for_requests(2, LIMIT).await;

    assert_eq!(
        told(&receiver),
        [("firing".to_owned(), vec!["Drift".to_owned()]), ("resolved".to_owned(), vec!["Drift".to_owned()])]
    );
    assert_eq!(requests[0].header("authorization"), Some("Bearer ingest-token"));
    assert_eq!(requests[0].json().unwrap()["externalURL"], alertmanager.url());
}

#[tokio::test]
async fn alertmanager_retries_a_receiver_that_was_away() {
    let receiver = receiver().await;
    receiver.script([Step::status(503), Step::reset_after_request().unapplied()]);
    let settings = Settings::new(&receiver.url());
    let Some(alertmanager) = Alertmanager::start("alertmanager_retries", &settings).await else { return };

    alertmanager.post_alerts(&[firing(&[("alertname", "Drift")], &[])]).await;

    assert!(receiver.wait_for_requests(3, LIMIT).await.len() >= 3);
    assert_eq!(receiver.steps_left(), 0);
}

#[tokio::test]
async fn a_silence_at_the_source_holds_an_alert_back() {
    let receiver = receiver().await;
    let settings = Settings::new(&receiver.url());
    let Some(alertmanager) = Alertmanager::start("a_silence", &settings).await else { return };
    let silence = alertmanager.silence(&[("alertname", "Quiet")]).await;

    alertmanager.post_alerts(&[firing(&[("alertname", "Quiet")], &[])]).await;
    alertmanager.post_alerts(&[firing(&[("alertname", "Loud")], &[])]).await;
    receiver.wait_for_requests(1, LIMIT).await;
    assert_eq!(told(&receiver), [("firing".to_owned(), vec!["Loud".to_owned()])]);

    alertmanager.expire_silence(&silence).await;
    receiver.wait_for_requests(2, LIMIT).await;
    assert_eq!(told(&receiver)[1], ("firing".to_owned(), vec!["Quiet".to_owned()]));
}

#[tokio::test]
async fn two_strangers_both_send_and_a_gossiping_pair_sends_once() {
    let both = receiver().await;
    let settings = Settings::new(&both.url());
    let Some(pair) = Alertmanager::start_pair("two_strangers", &settings, Pair::Strangers).await else {
        return;
    };
    let alert = firing(&[("alertname", "Drift")], &[]);
    for one in &pair {
        one.post_alerts(std::slice::from_ref(&alert)).await;
    }
    both.wait_for_requests(2, LIMIT).await;
    assert_eq!(told(&both), vec![("firing".to_owned(), vec!["Drift".to_owned()]); 2]);

    let once = receiver().await;
    let settings = Settings::new(&once.url());
    let pair = Alertmanager::start_pair("a_pair", &settings, Pair::Gossiping).await.unwrap();
    for one in &pair {
        one.post_alerts(std::slice::from_ref(&alert)).await;
    }
    // Told to the second alone and after the other: when it is sent, the second has been
    // through the first alert, too, and has seen that there was nothing left to do.
    pair[1].post_alerts(&[firing(&[("alertname", "Marker")], &[])]).await;
    once.wait_for_requests(2, LIMIT).await;
    let expected = ["Drift", "Marker"].map(|name| ("firing".to_owned(), vec![name.to_owned()]));
    assert_eq!(told(&once), expected);
}

#[tokio::test]
async fn every_test_has_a_postgresql_database_of_its_own() {
    let Some(one) = postgres::create_database("every_test_has_a_postgresql").await else { return };
    let two = postgres::create_database("every_test_has_a_postgresql").await.unwrap();

    let mut connection = PgConnection::connect(one.url()).await.unwrap();
    sqlx::query("CREATE TABLE mine (x BIGINT)").execute(&mut connection).await.unwrap();
    let mut other = PgConnection::connect(two.url()).await.unwrap();
    let missing = sqlx::query("SELECT to_regclass('mine')::text").fetch_one(&mut other).await.unwrap();
    assert_eq!(missing.get::<Option<String>, _>(0), None);

    let url = one.url().to_owned();
    drop(one);
    assert!(PgConnection::connect(&url).await.is_err(), "dropping it removes it, even while it is in use");
}

fn mail() -> Message {
    let body = MultiPart::alternative_plain_html("Grüße\n.punkt".to_owned(), "<b>Grüße</b>".to_owned());
    Message::builder()
        .from("Modelpager <a@b.example>".parse().unwrap())
        .to("team@b.example".parse().unwrap())
        .subject("Drift – Betrugserkennung über der Schwelle, seit heute früh um sechs")
        .message_id(Some("<n1.1@modelpager>".to_owned()))
        .header(header::References::from("<root@modelpager>".to_owned()))
        .multipart(body)
        .unwrap()
}

fn client(port: u16, tls: ClientTls, login: Option<(&str, &str)>) -> AsyncSmtpTransport<Tokio1Executor> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("localhost")
        .port(port)
        .tls(tls)
        .timeout(Some(LIMIT));
    if let Some((user, password)) = login {
        builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
    }
    builder.build()
}

#[tokio::test]
async fn a_real_mail_server_takes_mail_over_starttls_from_whom_it_knows() {
    let login = Some(("bot".to_owned(), "secret".to_owned()));
    for tls in [Encryption::StartTls, Encryption::Implicit] {
        let settings =
            smtp_real::Settings { tls, login: login.clone().filter(|_| tls == Encryption::StartTls) };
        let Some(server) = RealSmtp::start("a_real_mail_server", &settings).await else { return };
        let ca = Certificate::from_pem(&std::fs::read(server.ca_file()).unwrap()).unwrap();
        let parameters = |trusted: bool| {
            let builder = TlsParameters::builder("localhost".to_owned());
            let builder = if trusted { builder.add_root_certificate(ca.clone()) } else { builder };
            let parameters = builder.build().unwrap();
            if tls == Encryption::StartTls {
                ClientTls::Required(parameters)
            } else {
                ClientTls::Wrapper(parameters)
            }
        };
        let known = (tls == Encryption::StartTls).then_some(("bot", "secret"));

        client(server.port(), parameters(true), known).send(mail()).await.unwrap();
        assert!(client(server.port(), parameters(false), known).send(mail()).await.is_err(), "{tls:?}");
        if tls == Encryption::StartTls {
            let wrong = client(server.port(), parameters(true), Some(("bot", "wrong")));
            assert!(wrong.send(mail()).await.is_err());
        }

        let mails = server.wait_for_mails(1, LIMIT).await;
        assert_eq!(mails.len(), 1);
        assert_eq!((mails[0].tls, mails[0].login), (true, tls == Encryption::StartTls));
        assert_eq!(mails[0].mail.to, ["team@b.example"]);
        assert!(mails[0].mail.subject().starts_with("Drift – Betrugserkennung über"));
        assert_eq!(mails[0].mail.text().trim_end(), "Grüße\r\n.punkt");
    }
}

#[tokio::test]
async fn a_real_mail_server_without_tls_takes_mail_too() {
    let settings = smtp_real::Settings { tls: Encryption::None, login: None };
    let Some(server) = RealSmtp::start("a_real_mail_server_without_tls", &settings).await else { return };

    client(server.port(), ClientTls::None, None).send(mail()).await.unwrap();

    let mails = server.wait_for_mails(1, LIMIT).await;
    assert_eq!((mails[0].tls, mails[0].mail.from.as_str()), (false, "a@b.example"));
}

#[tokio::test]
async fn the_fake_mail_server_is_one_to_a_client_that_is_not_ours() {
    let fake = SmtpFake::start(Arc::new(SystemClock)).await.unwrap();
    fake.require_login("bot", "secret");
    fake.script(Stage::Message, Fault::reply(451, "4.3.0 later"));
    let sender = client(fake.address().port(), ClientTls::None, Some(("bot", "secret")));

    let refused = sender.send(mail()).await.unwrap_err();
    assert!(refused.is_transient(), "{refused}");
    sender.send(mail()).await.unwrap();

    let mails = fake.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject(), "Drift – Betrugserkennung über der Schwelle, seit heute früh um sechs");
    assert_eq!(mails[0].text().trim_end(), "Grüße\r\n.punkt");
    fake.violations().assert_clean();
}

#[tokio::test]
async fn a_program_dies_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sleep");
    command.arg("600");
    let program = Program::start("sleep", command, folder.path());
    let process = std::path::PathBuf::from(format!("/proc/{}", program.id()));
    assert!(process.exists());

    drop(program);

    assert!(!process.exists());
}

#[tokio::test]
async fn programs_are_looked_for_where_they_are() {
    assert!(program::find(&["no-such-program-anywhere", "sh"]).is_some());
    assert!(program::find(&["no-such-program-anywhere"]).is_none());
    assert!(http::get(&format!("http://127.0.0.1:{}/", program::free_port())).await.is_err());
}
