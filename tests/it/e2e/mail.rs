//! An incident's mails through a real mail server that insists on TLS and a login.

use serde_json::json;

use super::latency_alert;
use crate::support::alertmanager::{Alertmanager, Settings, resolved};
use crate::support::service::{LIMIT, Service};
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
