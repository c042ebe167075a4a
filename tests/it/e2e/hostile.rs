//! A sender that means harm, or is broken: the service stays well.

use std::io;
use std::path::Path;

use futures_util::future::join_all;
use modelpager::domain::random::{Random, SeededRandom};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::delivery;
use crate::support::service::{Api, LIMIT, Service, eventually};

const CONNECTIONS: u64 = 64;
const POSTS: usize = 8;

/// Sends these bytes, whatever they are, and reads what is answered while it does so.
async fn exchange(api: &Api, bytes: &[u8]) -> io::Result<(u16, String)> {
    let address = api.url().trim_start_matches("http://");
    let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
    let mut answer = Vec::new();
    let both = async { tokio::join!(write.write_all(bytes), read.read_to_end(&mut answer)).1 };
    tokio::time::timeout(LIMIT, both).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, answer))
}

/// A request with this body and these headers, after which the connection closes.
fn request(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /webhooks/alertmanager HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn sized(body: &[u8]) -> Vec<u8> {
    request(&format!("Content-Length: {}\r\n", body.len()), body)
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in body.chunks(size) {
        chunks.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunks.extend(chunk);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    request("Transfer-Encoding: chunked\r\n", &chunks)
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/alertmanager");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn body_of(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_senders_leave_the_service_well() {
    let service = Service::start(&json!({})).await;

    refuses_what_is_no_alert(&service).await;
    refuses_what_is_too_large(&service).await;
    takes_odd_but_lawful_requests(&service).await;
    let accepted = survives_a_crowd(&service).await;

    assert!(!accepted.is_empty());
    for id in &accepted {
        let event = service.get(&format!("/api/v1/events/{id}")).await;
        assert_ne!(event["state"], "rejected", "{event}");
    }
    let none_waits = || async { service.list("/api/v1/events?state=pending").await.is_empty().then_some(()) };
    eventually("triage of everything", none_waits).await;
    assert!(service.list("/api/v1/events?state=failed").await.is_empty());
    service.deliver(&delivery("AfterTheStorm")).await;
    eventually("one more message", || async {
        let told = service.list("/api/v1/notifications?alertname=AfterTheStorm&state=delivered").await;
        (told.len() == 1).then_some(())
    })
    .await;
    assert_eq!(service.call("GET", "/-/healthy", "").await.unwrap().status, 200);
    assert_eq!(service.call("GET", "/-/ready", "").await.unwrap().status, 200);
    let peak = service.peak_memory_mib();
    assert!(peak < 200, "{peak} MiB at the peak");
    let printed = service.log();
    assert!(!printed.contains("panicked"), "{printed}");
}

async fn refuses_what_is_no_alert(service: &Service) {
    let deep = [b"{\"alerts\":".as_slice(), &[b'['; 200_000]].concat();
    let deep_label =
        format!("{{\"alerts\":[{{\"labels\":{}1{}}}]}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let bodies: [(&[u8], u16); 9] = [
        (b"", 400),
        (b"\0\xff\xfe garbage", 400),
        (b"{\"alerts\":", 400),
        (&deep, 400),
        (deep_label.as_bytes(), 400),
        (b"[]", 422),
        (b"\"alerts\"", 422),
        (b"{\"alerts\":{}}", 422),
        (b"{\"streams\":[]}", 422),
    ];
    for (body, expected) in bodies {
        let (status, answer) = exchange(service, &sized(body)).await.unwrap();
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
        assert_eq!(status, expected, "{shown}: {answer}");
        assert!(answer.len() < 2_000, "{answer}");
    }
    // Not HTTP at all.
    for bytes in [b"\x16\x03\x01\x02\x00\x01\x00".as_slice(), b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"] {
        // Whether such a peer gets a 400 or just a closed door does not matter.
        let answer = exchange(service, bytes).await;
        assert!(answer.as_ref().map_or(true, |(status, _)| *status >= 400), "{answer:?}");
    }
}

async fn refuses_what_is_too_large(service: &Service) {
    let large = vec![b' '; 17 * 1024 * 1024];
    for request in [sized(&large), chunked(&large, 1024 * 1024)] {
        let (status, answer) = exchange(service, &request).await.unwrap();
        assert_eq!(status, 413, "{answer}");
    }
}

async fn takes_odd_but_lawful_requests(service: &Service) {
    let body = delivery("InSmallPieces").to_string();
    let (status, answer) = exchange(service, &chunked(body.as_bytes(), 1)).await.unwrap();
    assert_eq!((status, &body_of(&answer)["status"]), (200, &json!("accepted")));
    let body = delivery("OnlyIfWanted").to_string();
    assert_eq!(expect_continue(service, body.as_bytes()).await, 200);
}

/// Sends the body only once the server wants it.
async fn expect_continue(api: &Api, body: &[u8]) -> u16 {
    let head = request(&format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len()), b"");
    let address = api.url().trim_start_matches("http://");
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&head).await?;
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).await?;
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(body).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(LIMIT, talk).await.unwrap().unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Many connections post fixtures cut at random; answers the ids of what was taken.
async fn survives_a_crowd(service: &Service) -> Vec<String> {
    let fixtures = fixtures();
    let accepted = join_all((0..CONNECTIONS).map(|seed| post_cut_fixtures(service, &fixtures, seed))).await;
    accepted.into_iter().flatten().collect()
}

async fn post_cut_fixtures(api: &Api, fixtures: &[Vec<u8>], seed: u64) -> Vec<String> {
    let random = SeededRandom::new(seed);
    let below = |limit: usize| (random.bits() % limit as u64) as usize;
    let mut accepted = Vec::new();
    for n in 0..POSTS {
        let fixture = &fixtures[below(fixtures.len())];
        // Every fourth is whole.
        let body = if n % 4 == 0 { fixture } else { &fixture[..below(fixture.len())] };
        let bytes = if n % 2 == 0 { sized(body) } else { chunked(body, 1 + below(4_096)) };
        let (status, answer) = exchange(api, &bytes).await.unwrap();
        match status {
            200 => accepted.push(body_of(&answer)["event_id"].as_str().unwrap().to_owned()),
            400 | 422 => {}
            _ => panic!("{answer}"),
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_cannot_be_read_are_one_warning_for_each_event() {
    let service = Service::start(&json!({})).await;
    let mut body = delivery("Undated");
    body["alerts"][0]["startsAt"] = json!("the day before");
    let mut second = body["alerts"][0].clone();
    second["labels"]["pod"] = json!("b");
    body["alerts"].as_array_mut().unwrap().push(second);

    let receipt = service.deliver(&body).await;
    service.deliver(&delivery("Dated")).await;

    assert_eq!(receipt["alerts"], 2);
    let warning = "alerts have a missing or unreadable time: the time of receipt counts";
    service.wait_for_log(warning).await;
    let log = service.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(warning)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    let event = receipt["event_id"].as_str().unwrap();
    assert!(
        lines[0].contains("WARN") && lines[0].contains(event) && lines[0].contains("the day before"),
        "{log}"
    );
    // Told all the same, both of them.
    service.wait_for_log("CRITICAL: Undated channel=").await;
    service.wait_for_log("CRITICAL: Undated on b channel=").await;
}
