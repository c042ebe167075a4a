//! Mail over TLS, against a small server with a certificate of its own authority
//! (`tests/fixtures/tls`: made for these tests, of no use anywhere else).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::*;
use crate::domain::outcome::SendOutcome;
use crate::render::{Rendered, samples};

const CERTIFICATE: &str = include_str!("../../../tests/fixtures/tls/localhost.cert.pem");
const KEY: &str = include_str!("../../../tests/fixtures/tls/localhost.key.pem");
const LIMIT: Duration = Duration::from_secs(20);

/// When the server begins to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// At once.
    Implicit,
    /// After `STARTTLS`.
    StartTls,
    /// After `STARTTLS`, but somebody adds an answer of his own to the server's.
    Injected,
}

/// How far the server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Clear(Mode),
    /// Encrypted from the first byte.
    Encrypted,
    /// Encrypted after `STARTTLS`: the greeting has been said.
    Upgraded,
}

/// What the server was told, in clear and over TLS.
#[derive(Debug, Default)]
struct Heard {
    clear: Vec<String>,
    encrypted: Vec<String>,
}

fn start(mode: Mode) -> (SocketAddr, JoinHandle<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0, mode));
    (address, thread)
}

fn serve(mut stream: TcpStream, mode: Mode) -> Heard {
    let mut heard = Heard::default();
    let mut phase = Phase::Encrypted;
    if mode != Mode::Implicit {
        heard.clear = talk(&mut stream, Phase::Clear(mode));
        phase = Phase::Upgraded;
    }
    let connection = ServerConnection::new(server_config()).unwrap();
    let mut encrypted = StreamOwned::new(connection, stream);
    heard.encrypted = talk(&mut encrypted, phase);
    heard
}

fn server_config() -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// Speaks SMTP until the other side goes or `STARTTLS` is agreed. Errors end the talk:
/// some of the tests are about a client that goes.
fn talk<S: Read + Write>(stream: &mut S, phase: Phase) -> Vec<String> {
    let mut heard = Vec::new();
    // A byte at a time: what follows `STARTTLS` belongs to the handshake.
    let mut reader = BufReader::with_capacity(1, stream);
    if phase != Phase::Upgraded && say(&mut reader, "220 localhost\r\n").is_err() {
        return heard;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
        let command = std::mem::take(&mut line).trim_end().to_owned();
        heard.push(command.clone());
        let answer = match command.split(' ').next().unwrap_or_default() {
            "EHLO" if phase == Phase::Clear(Mode::StartTls) || phase == Phase::Clear(Mode::Injected) => {
                "250-localhost\r\n250 STARTTLS\r\n"
            }
            "EHLO" => "250-localhost\r\n250 AUTH PLAIN\r\n",
            "STARTTLS" if phase == Phase::Clear(Mode::Injected) => "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n",
            "STARTTLS" => "220 go\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go\r\n",
            "." | "MAIL" | "RCPT" => "250 ok\r\n",
            "QUIT" => "221 bye\r\n",
            // The mail itself.
            _ => continue,
        };
        if say(&mut reader, answer).is_err() || command == "STARTTLS" {
            break;
        }
    }
    heard
}

fn say<S: Read + Write>(reader: &mut BufReader<&mut S>, text: &str) -> std::io::Result<()> {
    reader.get_mut().write_all(text.as_bytes())?;
    reader.get_mut().flush()
}

fn settings(address: SocketAddr, tls: &str) -> Value {
    json!({
        "smtp": {
            "host": "localhost", "port": address.port(), "tls": tls, "helo": "modelpager.example",
            "username": "me", "password": "canary-password", "ca": CERTIFICATE,
        },
        "from": "a@example.org",
        "to": ["b@example.org"],
    })
}

async fn send(mut settings: Value) -> SendReport {
    settings["name"] = json!("ml-mail");
    settings["kind"] = json!("email");
    let channel = build(&serde_json::from_value(settings).unwrap(), &Proxies::default()).ok().unwrap();
    let snapshot = samples::firing();
    let rendered =
        Rendered { fields: [("text".to_owned(), "text".to_owned())].into(), ..Rendered::default() };
    let message = Message {
        notification_id: "n-1",
        dedup_key: &snapshot.incident.dedup_key,
        snapshot: &snapshot,
        rendered: &rendered,
        reference: None,
        now: samples::NOW,
    };
    channel.send(&message, LIMIT).await
}

fn verbs(lines: &[String]) -> Vec<&str> {
    let words = ["EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"];
    lines.iter().filter_map(|line| words.into_iter().find(|word| line.starts_with(word))).collect()
}

#[tokio::test]
async fn everything_is_said_over_tls_from_the_first_byte() {
    let (address, server) = start(Mode::Implicit);

    let report = send(settings(address, "tls")).await;

    assert_eq!(report.outcome, SendOutcome::Accepted, "{report:?}");
    let heard = server.join().unwrap();
    assert_eq!(verbs(&heard.encrypted), ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]);
}

#[tokio::test]
async fn starttls_comes_before_the_login() {
    let (address, server) = start(Mode::StartTls);

    let report = send(settings(address, "starttls")).await;

    assert_eq!(report.outcome, SendOutcome::Accepted, "{report:?}");
    let heard = server.join().unwrap();
    assert_eq!(verbs(&heard.clear), ["EHLO", "STARTTLS"]);
    assert_eq!(verbs(&heard.encrypted), ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]);
}

#[tokio::test]
async fn an_answer_slipped_in_before_the_handshake_is_never_believed() {
    let (address, server) = start(Mode::Injected);

    let report = send(settings(address, "starttls")).await;

    assert_eq!(report.outcome, SendOutcome::NotProcessed, "{report:?}");
    let heard = server.join().unwrap();
    assert_eq!(verbs(&heard.encrypted), Vec::<&str>::new());
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    for (mode, tls) in [(Mode::Implicit, "tls"), (Mode::StartTls, "starttls")] {
        let (address, server) = start(mode);
        let mut settings = settings(address, tls);
        settings["smtp"].as_object_mut().unwrap().remove("ca");

        let report = send(settings).await;

        assert_eq!(report.outcome, SendOutcome::NotProcessed, "{report:?}");
        let heard = server.join().unwrap();
        assert_eq!(verbs(&heard.encrypted), Vec::<&str>::new(), "{mode:?}");
    }
}
