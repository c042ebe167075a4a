//! The server with a bare client: every step of a script, and what it leaves behind.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::domain::clock::{ManualClock, Timestamp};
use crate::fakes::client::{self, post};

const LIMIT: Duration = Duration::from_secs(10);

/// Counts what reaches its state.
struct Counter(Arc<AtomicU32>);

impl Provider for Counter {
    fn answer(&self, request: &Request) -> Answer {
        self.0.fetch_add(1, Ordering::SeqCst);
        Answer::text(200, format!("took {} bytes", request.body.len()))
    }
}

async fn start() -> (HttpServer, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
    let server = HttpServer::start(clock, Box::new(Counter(Arc::clone(&count)))).await.unwrap();
    (server, count)
}

async fn send(server: &HttpServer) -> io::Result<client::Reply> {
    tokio::time::timeout(LIMIT, post(server.address(), "/x?y=1", &[("X-A", "b")], b"hello")).await.unwrap()
}

#[tokio::test]
async fn requests_are_recorded_with_all_their_parts() {
    let (server, _) = start().await;

    let reply = send(&server).await.unwrap();

    assert_eq!((reply.status, reply.text().as_str()), (200, "took 5 bytes"));
    let request = &server.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str(), request.query.as_str()),
        ("POST", "/x", "y=1")
    );
    assert_eq!(request.header("x-a"), Some("b"));
    assert_eq!(request.text(), "hello");
    assert_eq!(request.received_at, Timestamp::from_millis(1_000));
}

#[tokio::test]
async fn a_connection_serves_many_requests_chunked_and_pipelined() {
    let (server, count) = start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    let last = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nfg";

    stream.write_all(format!("{chunked}{last}").as_bytes()).await.unwrap();
    let mut answers = String::new();
    tokio::time::timeout(LIMIT, stream.read_to_string(&mut answers)).await.unwrap().unwrap();

    assert_eq!(count.load(Ordering::SeqCst), 2);
    let bodies: Vec<String> = server.requests().iter().map(Request::text).collect();
    assert_eq!(bodies, ["abcde", "fg"]);
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2);
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body() {
    let (server, _) = start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await.unwrap();

    let mut interim = [0; 25];
    tokio::time::timeout(LIMIT, stream.read_exact(&mut interim)).await.unwrap().unwrap();
    stream.write_all(b"ok").await.unwrap();

    assert!(interim.starts_with(b"HTTP/1.1 100 Continue"));
    assert_eq!(server.wait_for_requests(1, LIMIT).await.len(), 1);
}

#[tokio::test]
async fn steps_are_used_once_each_and_then_the_usual_answer_returns() {
    let (server, count) = start().await;
    server.script([Step::status(503), Step::usual(), Step::retry_after(429, "7")]);

    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(send(&server).await.unwrap());
    }

    assert_eq!(seen.iter().map(|reply| reply.status).collect::<Vec<_>>(), [503, 200, 429, 200]);
    assert!(seen[2].head.contains("Retry-After: 7"));
    assert_eq!(count.load(Ordering::SeqCst), 2, "scripted answers leave the state alone");
    assert_eq!(server.requests().len(), 4);
    assert_eq!(server.steps_left(), 0);
}

#[tokio::test]
async fn a_standing_step_holds_until_the_script_is_cleared() {
    let (server, _) = start().await;
    server.always(Step::redirect(307, "http://169.254.169.254/"));
    assert!(send(&server).await.unwrap().head.contains("Location: http://169.254.169.254/"));
    assert_eq!(send(&server).await.unwrap().status, 307);

    server.clear();

    assert_eq!(send(&server).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_reset_before_reading_leaves_no_trace() {
    let (server, count) = start().await;
    server.script([Step::reset_before_read()]);

    let error = send(&server).await.unwrap_err();

    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    assert!(server.requests().is_empty());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_reset_after_the_request_has_taken_effect() {
    let (server, count) = start().await;
    server.script([Step::reset_after_request(), Step::reset_after_request().unapplied()]);

    assert_eq!(send(&server).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((server.requests().len(), count.load(Ordering::SeqCst)), (1, 1));

    assert_eq!(send(&server).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((server.requests().len(), count.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_hanging_server_reads_and_says_nothing() {
    let (server, count) = start().await;
    server.script([Step::hang().applied()]);
    let address = server.address();

    let sender = tokio::spawn(async move { post(address, "/", &[], b"x").await });
    let requests = server.wait_for_requests(1, LIMIT).await;

    assert_eq!(requests.len(), 1);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(!sender.is_finished());
    server.stop().await;
    assert!(sender.await.unwrap().is_err());
}

#[tokio::test]
async fn half_and_misdeclared_answers_end_early() {
    let (server, _) = start().await;
    server.script([Step::half_answer(), Step::declared_length(4096)]);

    let half = send(&server).await.unwrap();
    assert!(half.head.contains("Content-Length: 12"));
    assert_eq!(half.text(), "took 5");

    let misdeclared = send(&server).await.unwrap();
    assert!(misdeclared.head.contains("Content-Length: 4096"));
    assert_eq!(misdeclared.text(), "took 5 bytes");
}

#[tokio::test]
async fn a_drip_arrives_whole_in_the_end() {
    let (server, _) = start().await;
    server.script([Step::drip(Duration::from_micros(10)).with_answer(Answer::json(202, &json!({})))]);

    let reply = send(&server).await.unwrap();

    assert_eq!((reply.status, reply.text().as_str()), (202, "{}"));
}

#[tokio::test]
async fn an_endless_body_goes_on_as_long_as_somebody_reads() {
    let (server, _) = start().await;
    server.script([Step::endless_body()]);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await.unwrap();

    let mut much = vec![0; 3_000_000];
    tokio::time::timeout(LIMIT, stream.read_exact(&mut much)).await.unwrap().unwrap();

    assert!(much.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_gzip_bomb_is_declared_as_gzip_and_small_on_the_wire() {
    let (server, count) = start().await;
    server.script([Step::gzip_bomb()]);

    let reply = send(&server).await.unwrap();

    assert!(reply.head.contains("Content-Encoding: gzip"));
    assert!(reply.body.starts_with(&[0x1f, 0x8b]));
    assert!((10_000..50_000).contains(&reply.body.len()), "{} bytes", reply.body.len());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stopped_server_refuses_and_comes_back_on_the_same_port() {
    let (server, _) = start().await;
    let mut kept_alive = TcpStream::connect(server.address()).await.unwrap();

    server.stop().await;
    assert_eq!(send(&server).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(tokio::time::timeout(LIMIT, kept_alive.read(&mut [0])).await.unwrap().unwrap_or(0), 0);

    server.restart().await.unwrap();
    assert_eq!(send(&server).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_delayed_answer_still_comes() {
    let (server, _) = start().await;
    server.script([Step::usual().delayed(Duration::from_millis(5))]);

    assert_eq!(send(&server).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_not_http_ends_the_connection_unrecorded() {
    let (server, _) = start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();

    stream.write_all(b"EHLO there\r\n\r\n").await.unwrap();
    let read = tokio::time::timeout(LIMIT, stream.read(&mut [0])).await.unwrap();

    assert_eq!(read.unwrap_or(0), 0);
    assert!(server.requests().is_empty());
}
