//! A mail taken apart: envelope, headers, and the decoded texts.

use super::decode;
use crate::domain::clock::Timestamp;

/// A mail as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's accepted recipients.
    pub to: Vec<String>,
    /// When the final dot came.
    pub received_at: Timestamp,
    /// Names and unfolded values, in order, encoded words as sent.
    pub headers: Vec<(String, String)>,
    /// The leaves of the message, in order; a simple message is one.
    pub parts: Vec<Part>,
    /// The message with its dots as meant.
    pub raw: Vec<u8>,
}

/// A leaf of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The media type in lower case, without parameters.
    pub media_type: String,
    /// The text, decoded; `None` when the encoding is broken or it is not UTF-8.
    pub text: Option<String>,
}

impl Mail {
    /// Takes a message apart. What is not well-formed is left out, for the rules to miss.
    pub fn parse(from: String, to: Vec<String>, received_at: Timestamp, raw: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (headers, body) = split_entity(&text);
        let mut parts = Vec::new();
        collect_parts(&headers, body, &mut parts);
        Self { from, to, received_at, headers, parts, raw }
    }

    /// Every value of that header, encoded words read.
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| decode::header(value)).collect()
    }

    /// The first value of that header, encoded words read.
    pub fn header(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// What stands in the list of mails; empty without one.
    pub fn subject(&self) -> String {
        self.header("Subject").unwrap_or_default()
    }

    /// `<…@…>`; empty without one.
    pub fn message_id(&self) -> String {
        self.header("Message-ID").unwrap_or_default()
    }

    /// The text of the first `text/plain` leaf; empty without one.
    pub fn text(&self) -> String {
        self.leaf("text/plain")
    }

    /// The text of the first `text/html` leaf; empty without one.
    pub fn html(&self) -> String {
        self.leaf("text/html")
    }

    fn leaf(&self, media_type: &str) -> String {
        let found = self.parts.iter().find(|part| part.media_type == media_type);
        found.and_then(|part| part.text.clone()).unwrap_or_default()
    }
}

type Headers = Vec<(String, String)>;

/// Splits headers from body at the first empty line and unfolds the headers.
fn split_entity(text: &str) -> (Headers, &str) {
    let (head, body) = match text.strip_prefix("\r\n") {
        Some(body) => ("", body),
        None => text.split_once("\r\n\r\n").unwrap_or((text, "")),
    };
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers = unfolded
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    (headers, body)
}

fn find<'a>(headers: &'a Headers, name: &str) -> &'a str {
    let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.as_str())
}

fn collect_parts(headers: &Headers, body: &str, parts: &mut Vec<Part>) {
    let content_type = find(headers, "Content-Type");
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type.starts_with("multipart/") {
        let boundary = parameter(content_type, "boundary");
        for entity in split_parts(body, &boundary) {
            let (headers, body) = split_entity(entity);
            collect_parts(&headers, body, parts);
        }
        return;
    }
    let encoding = find(headers, "Content-Transfer-Encoding").to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "base64" => decode::base64(body),
        "quoted-printable" => decode::quoted_printable(body),
        _ => Some(body.as_bytes().to_vec()),
    };
    let media_type = if media_type.is_empty() { "text/plain".to_owned() } else { media_type };
    parts.push(Part { media_type, text: bytes.and_then(|bytes| String::from_utf8(bytes).ok()) });
}

fn parameter(value: &str, name: &str) -> String {
    let found = value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.trim().split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    });
    found.unwrap_or_default()
}

/// The entities between `--boundary` lines; what stands before the first and after the
/// closing one does not count.
fn split_parts<'a>(body: &'a str, boundary: &str) -> Vec<&'a str> {
    if boundary.is_empty() {
        return Vec::new();
    }
    let mark = format!("--{boundary}");
    let end = body.find(&format!("{mark}--")).unwrap_or(body.len());
    let entities = body[..end].split(&mark).skip(1);
    entities.map(|entity| entity.trim_start_matches("\r\n").strip_suffix("\r\n").unwrap_or(entity)).collect()
}
