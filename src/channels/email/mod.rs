//! The kind `email`: a mail by SMTP, as text and HTML. The mails of one incident form a
//! thread; a repeated mail has the same `Message-ID`, by which mailboxes know it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::Mailbox;
use schemars::JsonSchema;
use serde::Deserialize;

use self::message::Addresses;
use self::settings_smtp::SmtpSettings;
use self::smtp::Smtp;
use super::settings::{self, Problems};
use super::{Built, Channel, Kind, Message, Preview};
use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::outcome::SendReport;
use crate::http::{Proxies, Redactor};
use crate::render::{Escape, Limit, TemplateField};

mod lines;
#[cfg(test)]
mod conformance;
mod message;
mod send;
mod settings_smtp;
mod smtp;
mod thread;

/// The kind.
pub const KIND: Kind = Kind {
    name: "email",
    title: "Sends mail by SMTP.",
    example: "\
- name: ml-mail
  kind: email
  smtp:
    host: mail.example.org
    port: 587 # default: 587 for starttls, 465 for tls, 25 for none
    tls: starttls # or tls, none
    username: modelpager # without it nobody logs in
    password: \"${SMTP_PASSWORD}\"
    helo: pager.example.org # default: this machine's name
    # ca_file: ca.pem # certificates to trust beside the system's
  from: Modelpager <modelpager@example.org>
  to: [ml-oncall@example.org]
  cc: [ml-leads@example.org]
",
    schema: || schemars::schema_for!(Settings),
    templates: &[
        TemplateField {
            name: "subject",
            source: include_str!("../../../templates/email/subject.hbs"),
            escape: Escape::Plain,
            limit: Limit::chars(message::MAX_SUBJECT),
        },
        TemplateField {
            name: "text",
            source: include_str!("../../../templates/email/text.hbs"),
            escape: Escape::Plain,
            limit: Limit::chars(message::MAX_TEXT),
        },
        TemplateField {
            name: "html",
            source: include_str!("../../../templates/email/html.hbs"),
            escape: Escape::Html,
            limit: Limit { max: message::MAX_HTML, length: str::len },
        },
    ],
    // Most mailboxes drop a second mail of the same `Message-ID`.
    idempotent: true,
    over_http: false,
    policy: KindPolicy { supersede: true, ..KindPolicy::DEFAULT },
    blocks: |_| Vec::new(),
    build,
    #[cfg(test)]
    cases: conformance::cases,
};

/// The settings of a channel of kind `email`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The server that takes the mails.
    smtp: SmtpSettings,
    /// The sender: `team@example.org` or `Name <team@example.org>`.
    from: String,
    /// The recipients; at least one.
    to: Vec<String>,
    /// Further recipients, in copy.
    #[serde(default)]
    cc: Vec<String>,
}

struct EmailChannel {
    smtp: Smtp,
    addresses: Addresses,
    redactor: Redactor,
}

fn build(config: &ChannelConfig, _: &Proxies) -> Built {
    let settings: Settings = settings::parse(&config.settings)?;
    let mut problems = Problems::default();
    let smtp = Smtp::from_settings(&settings.smtp, &mut problems);
    let from = mailbox(&mut problems, "from", &settings.from);
    let to = mailboxes(&mut problems, "to", &settings.to);
    let cc = mailboxes(&mut problems, "cc", &settings.cc);
    if settings.to.is_empty() {
        problems.add("to", "needs at least one recipient");
    }
    match (smtp, from) {
        (Some(smtp), Some(from)) if problems.is_empty() => Ok(Box::new(EmailChannel {
            smtp,
            addresses: Addresses { from, to, cc },
            redactor: redactor(&settings.smtp),
        })),
        _ => Err(problems.into_vec()),
    }
}

fn redactor(smtp: &SmtpSettings) -> Redactor {
    let mut redactor = Redactor::new(&smtp.password);
    if let (Some(user), Some(password)) = (&smtp.username, &smtp.password) {
        redactor.add_login(user, password.expose());
    }
    redactor
}

fn mailboxes(problems: &mut Problems, key: &str, texts: &[String]) -> Vec<Mailbox> {
    let each = texts.iter().enumerate();
    each.filter_map(|(index, text)| mailbox(problems, &format!("{key}[{index}]"), text)).collect()
}

fn mailbox(problems: &mut Problems, key: &str, text: &str) -> Option<Mailbox> {
    let parsed = text.trim().parse::<Mailbox>().ok().filter(|_| !text.contains(char::is_control));
    if parsed.is_none() {
        problems.add(key, format!("{text:?} is not an address such as team@example.org"));
    }
    parsed
}

impl Channel for EmailChannel {
    fn preview(&self, message: &Message<'_>) -> Preview {
        let content = message::Content::of(message);
        Preview {
            channel_kind: KIND.name,
            body: message::compose(message, &content, &self.addresses)
                .map_or_else(|error| error.to_string(), |mail| String::from_utf8_lossy(&mail).into_owned()),
            title: content.subject,
            text: content.text,
            content_type: "message/rfc822".to_owned(),
        }
    }

    fn send<'a>(&'a self, message: &'a Message<'a>, time_limit: Duration) -> BoxFuture<'a, SendReport> {
        Box::pin(send::send(self, message, time_limit))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
