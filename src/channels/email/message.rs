//! A mail: headers, and the same content as text and as HTML. No text from outside can
//! add a header: line breaks and control characters are gone before the library sees them.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message as Mail};
use sha2::{Digest, Sha256};

use super::thread::Reference;
use crate::channels::Message;
use crate::channels::text;
use crate::render::escape::clean_text;

/// In characters; longer ones are cut by mail programs anyway.
pub const MAX_SUBJECT: usize = 200;
/// In characters.
pub const MAX_TEXT: usize = 64 * 1024;
/// In bytes. Some mailboxes show no more than 100 kB; beyond this the text has to do.
pub const MAX_HTML: usize = 512 * 1024;

/// Who writes to whom.
pub struct Addresses {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
}

impl Addresses {
    /// Everybody who gets the mail, each once.
    pub fn recipients(&self) -> impl Iterator<Item = &Address> {
        let mut seen = Vec::new();
        self.to.iter().chain(&self.cc).map(|mailbox| &mailbox.email).filter(move |address| {
            let is_new = !seen.contains(address);
            if is_new {
                seen.push(*address);
            }
            is_new
        })
    }
}

/// What the reader will see.
#[derive(Debug)]
pub struct Content {
    pub subject: String,
    pub text: String,
    /// `None` when it is too large to be sent.
    pub html: Option<String>,
}

impl Content {
    /// The content of `message` within bounds.
    pub fn of(message: &Message<'_>) -> Self {
        let rendered = message.rendered;
        let subject = text::line(rendered.field("subject"), MAX_SUBJECT);
        let html = rendered.field("html");
        let is_html_fit = (1..=MAX_HTML).contains(&html.trim().len());
        Self {
            subject: if subject.is_empty() { "Modelpager".to_owned() } else { subject },
            text: text::lines(&clean_text(rendered.field("text")), MAX_TEXT),
            html: is_html_fit.then(|| clean_text(html).into_owned()),
        }
    }
}

/// The mail, ready to be handed over. The same notification gives the same mail, except
/// for its `Date`.
///
/// # Errors
/// When the library refuses what we give it; it has no reason to.
pub fn compose(
    message: &Message<'_>,
    content: &Content,
    addresses: &Addresses,
) -> Result<Vec<u8>, lettre::error::Error> {
    let sender = &addresses.from.email;
    let (references, reply_to) = thread(message, sender);
    let mut builder = Mail::builder()
        .from(addresses.from.clone())
        .subject(content.subject.clone())
        .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(message.now.as_millis()).unwrap_or(0)))
        .message_id(Some(message_id(message.notification_id, sender)))
        .references(references)
        .in_reply_to(reply_to)
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    builder = addresses.to.iter().fold(builder, |builder, mailbox| builder.to(mailbox.clone()));
    builder = addresses.cc.iter().fold(builder, |builder, mailbox| builder.cc(mailbox.clone()));
    let text = part(ContentType::TEXT_PLAIN, &content.text);
    let mail = match &content.html {
        None => builder.singlepart(text),
        Some(html) => builder.multipart(
            MultiPart::alternative()
                .boundary(boundary(message.notification_id))
                .singlepart(text)
                .singlepart(part(ContentType::TEXT_HTML, html)),
        ),
    }?;
    Ok(mail.formatted())
}

/// `References` and `In-Reply-To`.
fn thread(message: &Message<'_>, sender: &Address) -> (String, String) {
    let root = root_id(message, sender);
    match clean_id(&Reference::read(message.reference).first) {
        Some(first) => (format!("{root} {first}"), first),
        None => (root.clone(), root),
    }
}

/// Quoted-printable always: lines stay short and every server can carry them.
fn part(content_type: ContentType, text: &str) -> SinglePart {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(text.to_owned(), encoding)
        .unwrap_or_else(|bytes| Body::new(String::from_utf8_lossy(&bytes).into_owned()));
    SinglePart::builder().header(content_type).body(body)
}

/// `<notification@host-of-the-sender>`
pub fn message_id(notification_id: &str, sender: &Address) -> String {
    format!("<{}@{}>", id_word(notification_id), id_word(sender.domain()))
}

/// The id of a mail that was never sent, to which all mails of an incident answer: mail
/// programs put them together even when the first one is gone.
fn root_id(message: &Message<'_>, sender: &Address) -> String {
    format!("<incident-{}@{}>", id_word(&message.snapshot.incident.id), id_word(sender.domain()))
}

/// `id` when it can stand in a header.
fn clean_id(id: &str) -> Option<String> {
    let inner = id.strip_prefix('<')?.strip_suffix('>')?;
    let is_clean = inner.len() <= 200 && inner.chars().all(|c| is_id_char(c) || c == '@');
    is_clean.then(|| id.to_owned())
}

fn id_word(text: &str) -> String {
    text.chars().filter(|c| is_id_char(*c)).take(120).collect()
}

fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// A boundary that no text contains by chance and that is the same in every retry.
fn boundary(notification_id: &str) -> String {
    let digest = Sha256::digest(notification_id.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("modelpager-{hex}")
}
