//! Providers that fail below HTTP: each fault has its outcome in the log, is tried again as
//! it should be, costs no memory, and delays no other channel.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use modelpager::domain::clock::{Clock as _, SystemClock, Timestamp};
use modelpager::fakes::engine::{Answer, Step};
use serde_json::{Value, json};

use crate::load::single;
use crate::receiver::Receiver;
use crate::support::program::{self, Program};
use crate::support::service::{LIMIT, Service, Surroundings, eventually};

/// How long a hanging provider is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many messages the sound channel is told while the others fail.
const SOUND: usize = 25;
/// Debug builds need more; what is read of an endless answer must not show.
const MEMORY_MIB: u64 = 160;

/// What is wrong with one channel's provider.
struct Fault {
    name: &'static str,
    kind: &'static str,
    /// `None`: nobody listens.
    step: Option<Step>,
    outcome: &'static str,
    /// The message's state once the provider is sound again.
    end: &'static str,
}

fn faults(internal: &str) -> Vec<Fault> {
    let fault = |name, kind, step, outcome| Fault { name, kind, step, outcome, end: "delivered" };
    let long = || Answer::text(200, "a body of some length");
    vec![
        fault("refused", "webhook", None, "not_processed"),
        fault("reset-before", "webhook", Some(Step::reset_before_read()), "ambiguous"),
        fault("reset-after", "webhook", Some(Step::reset_after_request()), "ambiguous"),
        fault("hangs", "webhook", Some(Step::hang()), "ambiguous"),
        fault("drips", "slack", Some(Step::drip(Duration::from_millis(300))), "ambiguous"),
        fault("half", "slack", Some(Step::half_answer()), "ambiguous"),
        fault("half-after-2xx", "webhook", Some(Step::half_answer().with_answer(long())), "accepted"),
        fault("endless", "slack", Some(Step::endless_body()), "ambiguous"),
        fault("endless-after-2xx", "webhook", Some(Step::endless_body().with_answer(long())), "accepted"),
        fault("bomb", "slack", Some(Step::gzip_bomb()), "ambiguous"),
        Fault {
            end: "failed",
            ..fault("redirects", "webhook", Some(Step::redirect(307, internal)), "rejected")
        },
    ]
}

struct Faulty {
    fault: Fault,
    receiver: Receiver,
}

impl Faulty {
    async fn start(fault: Fault) -> Self {
        let receiver = match fault.kind {
            "slack" => Receiver::slack().await,
            _ => Receiver::webhook().await,
        };
        match &fault.step {
            Some(step) => receiver.http().always(step.clone()),
            None => receiver.http().stop().await,
        }
        Self { fault, receiver }
    }

    fn channel(&self) -> Value {
        let key = if self.fault.kind == "slack" { "webhook_url" } else { "url" };
        json!({
            "name": self.fault.name, "kind": self.fault.kind, "timeout": format!("{}s", PATIENCE.as_secs()),
            key: self.receiver.url(),
        })
    }

    async fn mend(&self) {
        self.receiver.http().clear();
        self.receiver.http().restart().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_below_http_has_its_outcome_and_holds_up_nobody_else() {
    let (sound, internal) = (Receiver::webhook().await, Receiver::webhook().await);
    let mut faulty = Vec::new();
    for fault in faults(&internal.url()) {
        faulty.push(Faulty::start(fault).await);
    }
    let mut channels: Vec<Value> = faulty.iter().map(Faulty::channel).collect();
    channels.push(json!({"name": "sound", "kind": "webhook", "timeout": "3s", "url": sound.url()}));
    let everyone: Vec<&str> = channels.iter().map(|channel| channel["name"].as_str().unwrap()).collect();
    let config = json!({
        "delivery": {"backoff_min": "500ms", "backoff_max": "1s"},
        "route": {
            "channels": ["sound"], "group_interval": "50ms",
            "routes": [{"matchers": ["alertname=\"FaultEverywhere\""], "channels": everyone}],
        },
        "channels": channels,
    });
    let service = Service::start(&config).await;
    service.deliver(&single("FaultEverywhere", "firing")).await;

    check_latency(&service, &sound).await;
    for one in &faulty {
        check_first_attempt(&service, one).await;
    }
    for one in &faulty {
        one.mend().await;
    }
    for one in &faulty {
        let (name, end) = (one.fault.name, one.fault.end);
        let log = eventually(&format!("{name} {end}"), || async {
            let found = service.notifications(name).await;
            (found[0]["state"] == end).then_some(found)
        })
        .await;
        assert_eq!(log.len(), 1, "{log:#?}");
        // A channel without ids says so when its message may have been seen twice.
        let marked = one.fault.outcome == "ambiguous" && one.fault.kind == "slack";
        assert_eq!(log[0]["maybe_sent_twice"], marked, "{name}: {log:#?}");
    }
    assert!(internal.http().requests().is_empty(), "a redirect was followed");
    let memory = service.peak_memory_mib();
    println!("peak memory {memory} MiB");
    assert!(memory < MEMORY_MIB, "{memory} MiB");
}

/// One message after the other goes through the sound channel while the others hang.
async fn check_latency(service: &Service, sound: &Receiver) {
    let mut latencies = Vec::new();
    for n in 0..SOUND {
        let name = format!("FaultSound{n}");
        let began = Instant::now();
        service.deliver(&single(&name, "firing")).await;
        eventually("a message on the sound channel", || async { sound.watch().knows(&name).then_some(()) })
            .await;
        latencies.push(began.elapsed());
    }
    latencies.sort();
    let (median, worst) = (latencies[SOUND / 2], latencies[SOUND - 1]);
    println!("beside failing channels: median {median:?}, worst {worst:?}");
    assert!(median < Duration::from_millis(500) && worst < PATIENCE, "median {median:?}, worst {worst:?}");
}

async fn check_first_attempt(service: &Service, one: &Faulty) {
    let name = one.fault.name;
    let first = eventually(&format!("an attempt on {name}"), || async {
        let found = service.notifications(name).await;
        let detail = service.notification(&found.first()?["id"]).await;
        detail["attempts"].get(0).cloned()
    })
    .await;
    assert_eq!(first["outcome"], one.fault.outcome, "{name}: {first:#}");
    if one.fault.outcome != "accepted" {
        assert!(first["error"].as_str().is_some_and(|error| !error.is_empty()), "{name}: {first:#}");
    }
}

/// How a provider asks to be left alone, and until when: counted from its own answer, or a
/// moment of its own clock.
struct Wish {
    name: &'static str,
    answer: Answer,
    wait: Duration,
    until: Option<Timestamp>,
}

fn wishes() -> [Wish; 5] {
    let in_seconds = |seconds| {
        let millis = SystemClock.now().plus(Duration::from_secs(seconds)).as_millis();
        Timestamp::from_millis(millis / 1_000 * 1_000)
    };
    let http_date = |at: Timestamp| {
        let at = modelpager_date(at);
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let (date, reset) = (in_seconds(5), in_seconds(6));
    let throttled = || Answer::text(429, "slow down");
    let discord = json!({"message": "You are being rate limited.", "retry_after": 1.257, "global": false});
    let wish = |name, answer, wait| Wish { name, answer, wait, until: None };
    [
        wish("seconds", throttled().with_header("Retry-After", "2"), Duration::from_secs(2)),
        wish(
            "discord-body",
            Answer::json(429, &discord).with_header("Retry-After", "1"),
            Duration::from_millis(1_257),
        ),
        wish(
            "discord-header",
            throttled().with_header("X-RateLimit-Reset-After", "1.501"),
            Duration::from_millis(1_501),
        ),
        Wish {
            until: Some(date),
            ..wish("date", throttled().with_header("Retry-After", http_date(date)), Duration::ZERO)
        },
        Wish {
            until: Some(reset),
            ..wish(
                "github",
                Answer::text(403, "API rate limit exceeded")
                    .with_header("X-RateLimit-Remaining", "0")
                    .with_header("X-RateLimit-Reset", (reset.as_millis() / 1_000).to_string()),
                Duration::ZERO,
            )
        },
    ]
}

fn modelpager_date(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_before_the_moment_a_provider_asked_for() {
    let mut receivers = Vec::new();
    for name in wishes().map(|wish| wish.name) {
        receivers.push((name, Receiver::webhook().await));
    }
    let channel = |(name, receiver): &(&str, Receiver)| json!({"name": name, "kind": "webhook", "timeout": "3s", "url": receiver.url()});
    let config = json!({
        "delivery": {"backoff_min": "10ms", "backoff_max": "20ms"},
        "route": {"channels": wishes().map(|wish| wish.name), "group_interval": "50ms"},
        "channels": receivers.iter().map(channel).collect::<Vec<_>>(),
    });
    let service = Service::start(&config).await;
    // Moments are counted from here: the start may have taken its time.
    let wishes = wishes();
    for (wish, (_, receiver)) in wishes.iter().zip(&receivers) {
        receiver.http().script([Step::answer(wish.answer.clone())]);
    }
    service.deliver(&single("FaultFirst", "firing")).await;
    for wish in &wishes {
        eventually("the wish is noted", || async {
            let found = service.notifications(wish.name).await;
            let detail = service.notification(&found.first()?["id"]).await;
            detail["attempts"].get(0).map(|_| ())
        })
        .await;
    }
    // The wish holds for the whole channel, not only for the message it was about.
    service.deliver(&single("FaultSecond", "firing")).await;

    for (wish, (_, receiver)) in wishes.iter().zip(&receivers) {
        let requests = receiver.http().wait_for_requests(3, LIMIT).await;
        let times: Vec<Timestamp> = requests.iter().map(|request| request.received_at).collect();
        assert_eq!(times.len(), 3, "{}", wish.name);
        let allowed = wish.until.unwrap_or_else(|| times[0].plus(wish.wait));
        assert!(times[1..].iter().all(|at| *at >= allowed), "{}: {times:?}, not before {allowed}", wish.name);
        let log = service.wait_for_delivered(wish.name, 2).await;
        let first = service.notification(&log[0]["id"]).await["attempts"][0].clone();
        assert_eq!(first["outcome"], "not_processed", "{}: {first:#}", wish.name);
    }
}

/// A web server with TLS: `$1` folder, `$2` port.
const TLS_SERVER: &str = r#"
import http.server, os, ssl, sys
folder, port = sys.argv[1], int(sys.argv[2])
class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Take)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_name_is_not_talked_to() {
    let test = "a_certificate_of_another_name";
    let Some(python) = program::find_or_skip(test, &["python3"]) else { return };
    if program::find_or_skip(test, &["openssl"]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    program::make_certificates(folder.path(), "DNS:localhost");
    let port = program::free_port();
    let _server = start_tls(&python, folder.path(), port).await;

    let url = |host: &str| format!("https://{host}:{port}/hook");
    let config = json!({
        "delivery": {"backoff_min": "100ms", "backoff_max": "200ms"},
        "channels": [
            {"name": "right", "kind": "webhook", "timeout": "3s", "url": url("localhost")},
            {"name": "wrong", "kind": "webhook", "timeout": "3s", "url": url("127.0.0.1")},
        ],
        "route": {"channels": ["right", "wrong"]},
    });
    let trusting = folder.path().join("ca.pem").display().to_string();
    let surroundings =
        Surroundings { variables: vec![("SSL_CERT_FILE", trusting)], ..Surroundings::default() };
    let service = Service::start_in(surroundings, &config).await;
    service.deliver(&single("FaultName", "firing")).await;

    // The authority is trusted: only the name is wrong.
    service.wait_for_delivered("right", 1).await;
    let log = eventually("two attempts", || async {
        let found = service.notifications("wrong").await;
        (found[0]["attempt_count"].as_i64() >= Some(2)).then_some(found)
    })
    .await;
    let detail = service.notification(&log[0]["id"]).await;
    for attempt in detail["attempts"].as_array().unwrap() {
        assert_eq!(attempt["outcome"], "not_processed", "{attempt:#}");
        assert!(attempt["error"].as_str().unwrap().contains("certificate"), "{attempt:#}");
    }
    assert_eq!(log[0]["maybe_sent_twice"], false);
}

async fn start_tls(python: &PathBuf, folder: &Path, port: u16) -> Program {
    let mut command = Command::new(python);
    command.args(["-c", TLS_SERVER]).arg(folder).arg(port.to_string());
    let mut server = Program::start("tls-server", command, folder);
    server
        .wait_until(|| async move { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() })
        .await;
    server
}
