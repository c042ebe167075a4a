//! The client against sockets that behave badly.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use std::time::Duration;

use super::answer::WaitingHeaders;
use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::outcome::SendOutcome;
use crate::domain::secret::Secret;

mod proxies;

/// Reads one request completely: the head, then as much body as it announces.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0_usize);
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
        }
    }
}

/// A server that answers one request with these bytes, then closes; gives the request.
async fn answer_once(answer: Vec<u8>) -> (Endpoint, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path-of-the-channel?key=1", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        // The client may hang up before it has taken everything.
        let _ = stream.write_all(&answer).await;
        request
    });
    (Endpoint::parse(&Secret::new(url)).unwrap(), server)
}

async fn post(endpoint: &Endpoint, limit: Duration) -> Result<Answer, Failure> {
    let client = HttpClient::new(limit);
    client.post_json(endpoint, &Headers::default(), "{}", Deadline::after(limit)).await
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_request_names_us_and_asks_for_no_compression() {
    let (endpoint, server) = answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()).await;

    let answer = post(&endpoint, LONG).await.unwrap();

    let request = server.await.unwrap().to_ascii_lowercase();
    assert_eq!((answer.status, answer.text(), answer.body_end), (200, Some("ok"), BodyEnd::Complete));
    assert!(request.starts_with("post /secret-path-of-the-channel?key=1 http/1.1\r\n"), "{request}");
    assert!(request.contains(concat!("\r\nuser-agent: modelpager/", env!("CARGO_PKG_VERSION"), "\r\n")));
    assert!(request.contains("\r\naccept-encoding: identity\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/json; charset=utf-8\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_not_an_order() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = elsewhere.local_addr().unwrap();
    let answer = format!("HTTP/1.1 307 Moved\r\nLocation: http://{location}/\r\nContent-Length: 0\r\n\r\n");
    let (endpoint, _server) = answer_once(answer.into_bytes()).await;

    let answer = post(&endpoint, LONG).await.unwrap();

    assert_eq!(answer.status, 307);
    let visit = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(visit.is_err(), "the redirect was followed");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_bound() {
    let mut bytes = b"HTTP/1.1 500 Oops\r\n\r\n".to_vec();
    bytes.extend(vec![b'x'; 4 * 1024 * 1024]);
    let (endpoint, _server) = answer_once(bytes).await;

    let answer = post(&endpoint, LONG).await.unwrap();

    assert_eq!((answer.body.len(), answer.body_end), (BODY_HEAD_BYTES, BodyEnd::Cut));
    assert_eq!(answer.text(), None);
}

#[tokio::test]
async fn half_a_body_is_broken() {
    let (endpoint, _server) =
        answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf".to_vec()).await;

    let answer = post(&endpoint, LONG).await.unwrap();

    assert_eq!((answer.body.as_slice(), answer.body_end), (&b"half"[..], BodyEnd::Broken));
}

#[tokio::test]
async fn a_refused_connection_had_no_effect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path-of-the-channel", listener.local_addr().unwrap());
    drop(listener);

    let failure = post(&Endpoint::parse(&Secret::new(url)).unwrap(), LONG).await.unwrap_err();

    assert_eq!(failure.outcome, SendOutcome::NotProcessed);
    assert!(failure.message.starts_with("cannot connect to http://127.0.0.1:"), "{failure}");
    assert!(failure.message.ends_with(": connection refused"), "{failure}");
    assert!(!failure.message.contains("secret-path"), "{failure}");
}

#[tokio::test]
async fn a_host_without_an_address_had_no_effect() {
    let endpoint = Endpoint::parse(&Secret::new("http://nobody.invalid/secret-path-of-the-channel")).unwrap();

    let failure = post(&endpoint, LONG).await.unwrap_err();

    assert_eq!(failure.outcome, SendOutcome::NotProcessed);
    assert!(
        failure.message.starts_with("cannot connect to http://nobody.invalid: host not found"),
        "{failure}"
    );
    assert!(!failure.message.contains("secret-path"), "{failure}");
}

#[tokio::test]
async fn a_failed_tls_handshake_had_no_effect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/secret-path-of-the-channel", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // What a plain HTTP server says to a TLS client.
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });

    let failure = post(&Endpoint::parse(&Secret::new(url)).unwrap(), LONG).await.unwrap_err();

    drop(server.await.unwrap());
    assert_eq!(failure.outcome, SendOutcome::NotProcessed, "{failure}");
    assert!(!failure.message.contains("secret-path"), "{failure}");
}

#[tokio::test]
async fn a_tls_handshake_that_hangs_had_no_effect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());

    let limit = Duration::from_millis(600);
    let failure = post(&Endpoint::parse(&Secret::new(url)).unwrap(), limit).await.unwrap_err();

    assert_eq!(failure.outcome, SendOutcome::NotProcessed, "{failure}");
}

#[tokio::test]
async fn silence_after_the_request_is_ambiguous_and_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path-of-the-channel", listener.local_addr().unwrap());
    let started = std::time::Instant::now();

    let limit = Duration::from_millis(200);
    let failure = post(&Endpoint::parse(&Secret::new(url)).unwrap(), limit).await.unwrap_err();

    assert_eq!(failure.outcome, SendOutcome::Ambiguous);
    assert!(!failure.message.contains("secret-path"), "{failure}");
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_ambiguous() {
    let (endpoint, _server) = answer_once(Vec::new()).await;

    let failure = post(&endpoint, LONG).await.unwrap_err();

    assert_eq!(failure.outcome, SendOutcome::Ambiguous, "{failure}");
    assert!(!failure.message.contains("secret-path"), "{failure}");
}

#[test]
fn addresses_are_checked_and_never_shown() {
    let parse = |url: &str| Endpoint::parse(&Secret::new(url));

    assert_eq!(parse("hooks.example.org/x").unwrap_err(), InvalidEndpoint::NotAUrl);
    assert_eq!(parse("ftp://example.org/x").unwrap_err(), InvalidEndpoint::Scheme);
    assert_eq!(parse("https://me:pw@example.org/x").unwrap_err(), InvalidEndpoint::Credentials);
    let endpoint = parse("https://example.org:8443/secret?x").unwrap();
    assert_eq!(format!("{endpoint:?}"), "https://example.org:8443/…");
    assert_eq!(
        parse("https://x.test/api/").unwrap().join("chat.update").expose(),
        "https://x.test/api/chat.update"
    );
    let endpoint = parse("https://x.test/hook?thread=1").unwrap();
    assert_eq!(endpoint.with_query("wait", "a b").expose(), "https://x.test/hook?thread=1&wait=a+b");
}

#[test]
fn headers_that_frame_the_message_cannot_be_configured() {
    let mut headers = Headers::default();
    let value = Secret::new("canary-value");

    assert_eq!(headers.set_configured("Content-Length", &value), Err(InvalidHeader::Reserved));
    assert_eq!(headers.set_configured("Webhook-ID", &value), Err(InvalidHeader::Reserved));
    assert_eq!(headers.set_configured("X Y", &value), Err(InvalidHeader::Name));
    assert_eq!(headers.set_configured("X-A", &Secret::new("a\r\nX-B: c")), Err(InvalidHeader::Value));
    assert_eq!(headers.set_configured("Authorization", &value), Ok(()));
    assert!(!format!("{headers:?}").contains("canary"), "{headers:?}");
}

#[test]
fn the_report_of_a_throttled_answer_slows_the_channel() {
    let answer = Answer {
        status: 429,
        body: b"slow down, canary-value".to_vec(),
        body_end: BodyEnd::Complete,
        proxy: None,
        waiting: WaitingHeaders { retry_after: Some("7".to_owned()), ..WaitingHeaders::default() },
    };
    let redactor = Redactor::new([&Secret::new("canary-value")]);

    let report = answer.report(&redactor, Timestamp::from_millis(0));

    assert_eq!((report.outcome, report.status), (SendOutcome::NotProcessed, Some(429)));
    assert_eq!((report.retry_after, report.slows_channel), (Some(Duration::from_secs(7)), true));
    assert_eq!(report.response.as_deref(), Some("slow down, <secret>"));
}
