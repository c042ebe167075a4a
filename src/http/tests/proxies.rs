//! The client behind a forward proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;
use crate::fakes::proxy::ProxyFake;

const CERTIFICATE: &str = include_str!("../../../tests/fixtures/tls/localhost.cert.pem");
const KEY: &str = include_str!("../../../tests/fixtures/tls/localhost.key.pem");
/// base64 of `bot:s%cret-canary`
const LOGIN: &str = "Basic Ym90OnMlY3JldC1jYW5hcnk=";

fn environment(variables: &'static [(&'static str, &'static str)]) -> Result<Proxies, String> {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Proxies::from_env(&|name| find(name).map(|(_, value)| (*value).to_owned()))
}

/// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
fn through(fake: &ProxyFake, login: &str, no_proxy: &str) -> Proxies {
    let proxy = format!("http://{login}{}", fake.address());
    let no_proxy = no_proxy.to_owned();
    Proxies::from_env(&|name| match name {
        "HTTP_PROXY" | "HTTPS_PROXY" => Some(proxy.clone()),
        "NO_PROXY" => Some(no_proxy.clone()),
        _ => None,
    })
    .unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(&Secret::new(url)).unwrap()
}

async fn post_through(proxies: Proxies, endpoint: &Endpoint) -> Result<Answer, Failure> {
    let client = HttpClient::new(LONG).through(proxies);
    client.post_json(endpoint, &Headers::default(), "{}", Deadline::after(LONG)).await
}

fn lines(fake: &ProxyFake) -> Vec<String> {
    fake.requests().into_iter().map(|request| request.line).collect()
}

#[tokio::test]
async fn a_plain_request_goes_to_the_proxy_whole_and_the_proxy_looks_the_name_up() {
    let fake = ProxyFake::start().await.unwrap();
    fake.require_login("bot", "s%cret-canary");
    let (server, request) = answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()).await;
    let address = server.0.socket_addrs(|| None).unwrap()[0];
    fake.resolve("hooks.invalid:80", address);

    let proxies = through(&fake, "bot:s%25cret-canary@", "");
    let answer = post_through(proxies, &endpoint("http://hooks.invalid/secret-path")).await.unwrap();

    assert_eq!((answer.status, answer.text()), (200, Some("ok")));
    assert_eq!(lines(&fake), ["POST http://hooks.invalid/secret-path"]);
    assert_eq!(fake.requests()[0].login.as_deref(), Some(LOGIN));
    let request = request.await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("post /secret-path http/1.1\r\n"), "{request}");
    assert!(!request.contains("proxy-authorization"), "{request}");
}

/// A server with the certificate of `localhost` that answers one request over TLS; gives the request.
fn tls_server() -> (SocketAddr, std::thread::JoinHandle<String>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, listener.accept().unwrap().0);
        let mut seen = Vec::new();
        let mut buffer = [0; 1024];
        while !seen.ends_with(b"{}") {
            let count = stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno").unwrap();
        String::from_utf8(seen).unwrap()
    });
    (address, thread)
}

#[tokio::test]
async fn a_request_over_tls_goes_through_a_tunnel_in_which_the_proxy_sees_nothing() {
    let fake = ProxyFake::start().await.unwrap();
    fake.require_login("bot", "s%cret-canary");
    let (address, server) = tls_server();
    fake.resolve("localhost:443", address);
    let mut client = HttpClient::new(LONG).through(through(&fake, "bot:s%25cret-canary@", ""));
    client.trust(CERTIFICATE);

    let request = (&endpoint("https://localhost/secret-path"), &Headers::default());
    let answer = client.post_json(request.0, request.1, "{}", Deadline::after(LONG)).await.unwrap();

    let report = answer.report(client.redactor(), Timestamp::from_millis(0));
    // The proxy had no hand in this answer.
    assert_eq!((report.status, report.error.as_deref()), (Some(502), Some("answered HTTP 502")));
    assert_eq!(lines(&fake), ["CONNECT localhost:443"]);
    assert_eq!(fake.requests()[0].login.as_deref(), Some(LOGIN));
    let request = server.join().unwrap().to_ascii_lowercase();
    assert!(request.starts_with("post /secret-path http/1.1\r\n"), "{request}");
    assert!(!request.contains("proxy-authorization"), "{request}");
}

#[tokio::test]
async fn what_no_proxy_names_is_asked_directly() {
    let fake = ProxyFake::start().await.unwrap();
    for no_proxy in ["127.0.0.1", "example.org, 127.0.0.0/8", "*"] {
        let (server, _request) = answer_once(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;

        let answer = post_through(through(&fake, "", no_proxy), &server).await.unwrap();

        assert_eq!(answer.status, 204, "{no_proxy}");
    }
    assert_eq!(fake.requests(), []);

    let proxies = through(&fake, "", "example.org,.internal");
    for (url, is_through) in [
        ("https://example.org/", false),
        ("https://hooks.example.org/", false),
        ("https://notexample.org/", true),
        ("https://chat.internal:8443/", false),
        ("http://10.0.0.1/", true),
    ] {
        assert_eq!(proxies.origin_for(&url.parse().unwrap()).is_some(), is_through, "{url}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let cases = [
        // (scheme, the proxy's answer, outcome, status, words)
        ("https", 407, SendOutcome::Rejected, Some(407), "does not accept the user and password"),
        ("https", 403, SendOutcome::NotProcessed, None, "the proxy refused to connect to it"),
        ("https", 502, SendOutcome::NotProcessed, None, "the proxy refused to connect to it"),
        ("http", 407, SendOutcome::Rejected, Some(407), "does not accept the user and password"),
        ("http", 403, SendOutcome::Rejected, Some(403), "answered HTTP 403 through the proxy"),
        // Whether the proxy or the server behind it says so nobody knows.
        ("http", 502, SendOutcome::Ambiguous, Some(502), "answered HTTP 502 through the proxy"),
    ];
    for (scheme, status, outcome, reported, words) in cases {
        let fake = ProxyFake::start().await.unwrap();
        fake.refuse_with(status);
        let client = HttpClient::new(LONG).through(through(&fake, "bot:secret-canary@", ""));
        let endpoint = endpoint(&format!("{scheme}://hooks.invalid/secret-path"));

        let exchange = client.post_json(&endpoint, &Headers::default(), "{}", Deadline::after(LONG)).await;
        let report = match exchange {
            Ok(answer) => answer.report(client.redactor(), Timestamp::from_millis(0)),
            Err(failure) => failure.report(client.redactor()),
        };

        let case = format!("{scheme}, {status}: {report:?}");
        assert_eq!((report.outcome, report.status), (outcome, reported), "{case}");
        assert_eq!(report.refuses_channel, matches!(reported, Some(403 | 407)), "{case}");
        let error = report.error.clone().unwrap();
        assert!(error.contains(words) && error.contains(&format!("http://{}", fake.address())), "{case}");
        assert!(!case.contains("canary") && !case.contains("secret-path"), "{case}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_gone_means_that_nothing_was_sent() {
    for scheme in ["http", "https"] {
        let fake = ProxyFake::start().await.unwrap();
        fake.stop().await;
        let endpoint = endpoint(&format!("{scheme}://hooks.invalid/secret-path"));

        let failure = post_through(through(&fake, "bot:secret-canary@", ""), &endpoint).await.unwrap_err();

        assert_eq!(failure.outcome, SendOutcome::NotProcessed, "{failure}");
        let (proxy, way) = (fake.address(), format!("{scheme}://hooks.invalid"));
        assert_eq!(
            failure.message,
            format!("cannot connect to {way} through the proxy http://{proxy}: connection refused")
        );
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_leaves_open_what_was_sent_unless_it_was_a_tunnel() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let limit = Duration::from_millis(600);
    for (scheme, outcome) in [("https", SendOutcome::NotProcessed), ("http", SendOutcome::Ambiguous)] {
        let proxies = Proxies::default().or_own(Some(&Secret::new(format!("http://{address}")))).unwrap();
        let client = HttpClient::new(limit).through(proxies);
        let endpoint = endpoint(&format!("{scheme}://hooks.invalid/secret-path"));

        let sent = client.post_json(&endpoint, &Headers::default(), "{}", Deadline::after(limit)).await;

        let failure = sent.unwrap_err();
        assert_eq!(failure.outcome, outcome, "{failure}");
        assert!(
            failure.message.contains(&format!("through the proxy http://{address}: timed out")),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_through_a_proxy_either() {
    let fake = ProxyFake::start().await.unwrap();
    let answer = "HTTP/1.1 307 Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    let (server, _request) = answer_once(answer.as_bytes().to_vec()).await;

    let answer = post_through(through(&fake, "", ""), &server).await.unwrap();

    assert_eq!(answer.status, 307);
    assert_eq!(fake.requests().len(), 1, "{:?}", fake.requests());
}

#[test]
fn the_password_is_struck_out_in_every_form() {
    let proxies = Proxies::default().or_own(Some(&Secret::new("http://bot:s%25cret-canary@p:1"))).unwrap();
    let client = HttpClient::new(LONG).through(proxies.clone());

    let clean = client.redactor().redact(&format!("{LOGIN}, s%cret-canary, http://bot:s%25cret-canary@p:1"));

    assert_eq!(clean, "Basic <secret>, <secret>, http://<secret>@p:1");
    assert!(!format!("{proxies:?}").contains("canary"), "{proxies:?}");
}

#[test]
fn the_environment_is_read_as_curl_reads_it() {
    let origin = |proxies: &Proxies, url: &str| proxies.origin_for(&url.parse().unwrap());
    let proxies = environment(&[
        ("http_proxy", "lower.example:3128"),
        ("HTTP_PROXY", "http://upper.example:3128"),
        ("HTTPS_PROXY", "https://tls.example"),
    ])
    .unwrap();

    assert_eq!(origin(&proxies, "http://x.test/").as_deref(), Some("http://lower.example:3128"));
    assert_eq!(origin(&proxies, "https://x.test/").as_deref(), Some("https://tls.example"));
    let none = environment(&[("NO_PROXY", "*"), ("http_proxy", "")]).unwrap();
    assert_eq!(origin(&none, "http://x.test/"), None);
    let problem = environment(&[("https_proxy", "socks5://bot:canary@x:1080")]).unwrap_err();
    assert_eq!(
        problem,
        "the environment's https_proxy must begin with http:// or https://: other kinds of proxies are not supported"
    );
}

#[test]
fn a_channels_own_proxy_goes_before_the_environment() {
    let environment =
        environment(&[("HTTPS_PROXY", "http://everyone.example:1"), ("NO_PROXY", "x.test")]).unwrap();
    let origin = |proxies: &Proxies| proxies.origin_for(&"https://x.test/".parse().unwrap());
    let own = |url: &str| environment.or_own(Some(&Secret::new(url)));

    assert_eq!(origin(&environment.or_own(None).unwrap()), None, "NO_PROXY names it");
    assert_eq!(origin(&own("https://own.example:2").unwrap()).as_deref(), Some("https://own.example:2"));
    assert_eq!(origin(&own("none").unwrap()), None);
    for (url, problem) in [
        ("", InvalidProxy::NotAUrl),
        ("own.example", InvalidProxy::NotAUrl),
        ("http://own.example/path", InvalidProxy::NotAUrl),
        ("socks5://own.example", InvalidProxy::Scheme),
    ] {
        assert_eq!(own(url).unwrap_err(), problem, "{url}");
    }
}

impl HttpClient {
    /// Trusts a certificate besides those of the system.
    fn trust(&mut self, pem: &str) {
        let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        let client = self.builder().tls_certs_merge([certificate]).build();
        self.client = std::sync::OnceLock::from(Ok(client.unwrap()));
    }
}
