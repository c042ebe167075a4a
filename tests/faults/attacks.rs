//! What a stranger without a token, or the holder of a weak one, can do to the program: it keeps
//! its memory, and takes and sends the alerts of others without delay.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::single;
use crate::support::service::{Service, Surroundings};

/// The most memory the program may take, in MiB.
const MOST_MEMORY_MIB: u64 = 256;
/// How long an alert of others may take from its delivery to its message.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

pub fn open_config() -> Value {
    json!({"channels": [{"name": "console", "kind": "log"}], "route": {"channels": ["console"]}})
}

/// Connects and sends the beginning of a request; what follows never comes.
pub fn begin(service: &Service, head: &str, body: &[u8]) -> TcpStream {
    let address = service.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let head = format!("{head}\r\nHost: {address}\r\n");
    // The program may have hung up already: that is its right.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    stream
}

/// Posts one alert and waits for its message; answers how long that took.
pub async fn alert_in_and_out(service: &Service, name: &str, before: usize) -> Duration {
    let begun = Instant::now();
    let reply = service.call("POST", "/webhooks/alertmanager", &single(name, "firing").to_string()).await;
    let reply = reply.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    service.wait_for_delivered("console", before + 1).await;
    begun.elapsed()
}

pub fn assert_unimpressed(service: &Service, delay: Duration) {
    let memory = service.peak_memory_mib();
    println!("memory {memory} MiB at most, the alert took {} ms", delay.as_millis());
    assert!(delay <= LONGEST_DELAY, "the alert took {delay:?}");
    assert!(memory < MOST_MEMORY_MIB, "{memory} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_half_sent_logins_take_no_memory() {
    let service = Service::start_with_token(
        &json!({
            "channels": [{"name": "console", "kind": "log"}], "route": {"channels": ["console"]},
            "auth": {"tokens": [{"name": "all", "token": "a-token-0123456789", "scopes": ["admin", "ingest"]}]},
        }),
        Some("a-token-0123456789"),
    )
    .await;
    let form = [b"token=".as_slice(), &vec![b'x'; 1_900_000]].concat();
    let origin = format!("Origin: {}\r\n", service.url());

    let kinds = [("", "/login"), (origin.as_str(), "/login"), (origin.as_str(), "/catalog/import")];
    let streams: Vec<TcpStream> = (0..1_000)
        .map(|n| {
            let (origin, path) = kinds[n % kinds.len()];
            let head = format!(
                "POST {path} HTTP/1.1\r\n{origin}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2000000"
            );
            // Most of them send little: what they send is not the cost.
            let sent = if n % 10 == 0 { form.len() } else { 60_000 };
            begin(&service, &head, &[b"\r\n", &form[..sent]].concat())
        })
        .collect();

    let delay = alert_in_and_out(&service, "Beside", 0).await;
    assert_unimpressed(&service, delay);
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_bodies_to_every_path_share_one_limit() {
    let service = Service::start(&open_config()).await;
    let paths = ["/webhooks/alertmanager", "/api/v1/catalog/import", "/api/v1/catalog", "/-/reload"];
    let piece = vec![b' '; 1_500_000];

    let streams: Vec<TcpStream> = (0..200)
        .map(|n| {
            let head = format!(
                "POST {} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1900000",
                paths[n % paths.len()]
            );
            begin(&service, &head, &[b"\r\n", piece.as_slice()].concat())
        })
        .collect();

    let delay = alert_in_and_out(&service, "Beside", 0).await;
    assert_unimpressed(&service, delay);
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_chunks_cost_one_byte_each() {
    let service = Service::start(&open_config()).await;
    let chunks = b"1\r\n \r\n".repeat(70_000);

    let streams: Vec<TcpStream> = (0..8)
        .map(|_| {
            let head = "POST /webhooks/alertmanager HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
            begin(&service, head, &[b"\r\n", chunks.as_slice()].concat())
        })
        .collect();

    let delay = alert_in_and_out(&service, "Beside", 0).await;
    assert_unimpressed(&service, delay);
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_keep_no_alert_out() {
    // The soft limit can be raised; in the second case it cannot.
    for shell in ["ulimit -Sn 1024", "ulimit -n 1024"] {
        let surroundings = Surroundings { shell: Some(shell), ..Surroundings::default() };
        let service = Service::start_in(surroundings, &open_config()).await;
        let address = service.url().trim_start_matches("http://").to_owned();

        let mut idle = Vec::new();
        for n in 0..1_200 {
            let mut stream = TcpStream::connect(&address).unwrap();
            // Some say nothing, some begin to, some have been answered and stay.
            let said = match n % 3 {
                0 => "".to_owned(),
                1 => "GET /-/healthy HT".to_owned(),
                _ => format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\n\r\n"),
            };
            let _ = stream.write_all(said.as_bytes());
            if n % 3 == 2 {
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let _ = stream.read(&mut [0; 512]);
            }
            idle.push(stream);
        }

        let delay = alert_in_and_out(&service, "Beside", 0).await;
        println!("{shell}:");
        assert_unimpressed(&service, delay);
        assert!(!service.log().contains("Too many open files"), "{}", service.log());
        drop(idle);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_full_of_aliases_take_neither_memory_nor_time() {
    let service = Service::start(&open_config()).await;
    let entries = format!("entries: [&e {{slug: a}}{}]", ", *e".repeat(200_000));
    let text = format!(
        "entries: [{{slug: a, description: &t {}}}{}]",
        "x".repeat(400_000),
        ", {slug: b, description: *t}".repeat(15_000)
    );
    let import =
        async |body: &str| service.call("POST", "/api/v1/catalog/import", body).await.unwrap().status;
    let imports = async {
        let (first, second, third, fourth) =
            tokio::join!(import(&entries), import(&text), import(&entries), import(&text));
        [first, second, third, fourth]
    };

    let (statuses, delay) = tokio::join!(imports, alert_in_and_out(&service, "Beside", 0));

    // One is read at a time, whichever comes first.
    let is_refused = |status: &u16| [400, 422].contains(status);
    assert!(statuses.iter().all(|status| is_refused(status) || *status == 503), "{statuses:?}");
    assert!(statuses.iter().any(is_refused), "{statuses:?}");
    assert_unimpressed(&service, delay);
    assert_eq!(import("entries: [{slug: a}]").await, 200);
}
