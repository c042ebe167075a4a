//! A real mail server, `aiosmtpd`, with TLS by a certificate authority made for the test.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use modelpager::domain::clock::Timestamp;
use modelpager::fakes::smtp::Mail;
use serde_json::Value;

use super::program::{self, Program};

/// How the server speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    None,
    /// After `STARTTLS`, which it insists on.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// What the server demands.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How it speaks TLS.
    pub tls: Encryption,
    /// User and password, when a login is needed.
    pub login: Option<(String, String)>,
}

/// A running mail server.
pub struct RealSmtp {
    _program: Program,
    folder: tempfile::TempDir,
    port: u16,
}

/// Arguments: folder, tls, user, password. Stores each mail as `N.json` with the envelope
/// and the message in Latin-1, which keeps every byte.
const SERVER: &str = r#"
import asyncio, json, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, tls, user, password = sys.argv[1:5]

def put(name, text):
    path = os.path.join(folder, name)
    with open(path + ".tmp", "w") as file:
        file.write(text)
    os.rename(path + ".tmp", path)

class Keep:
    count = 0
    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        put(f"{Keep.count:06}.json", json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or tls == "implicit",
            "login": session.authenticated,
            "message": envelope.content.decode("latin-1")}))
        return "250 2.0.0 kept"

def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=right, handled=False)

async def main():
    context = None
    if tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    options = {"hostname": "localhost"}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if user:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls == "starttls"}
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Keep(), **options), "127.0.0.1", 0, ssl=context if tls == "implicit" else None)
    put("port", str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()

asyncio.run(main())
"#;

impl RealSmtp {
    /// Starts one; `None` when it is not installed and `test` is skipped.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub async fn start(test: &str, settings: &Settings) -> Option<Self> {
        let python = find_python(test)?;
        let folder = tempfile::tempdir().unwrap();
        if settings.tls != Encryption::None {
            program::find_or_skip(test, &["openssl"])?;
            program::make_certificates(folder.path(), "DNS:localhost,IP:127.0.0.1");
        }
        let word = match settings.tls {
            Encryption::None => "none",
            Encryption::StartTls => "starttls",
            Encryption::Implicit => "implicit",
        };
        let (user, password) = settings.login.clone().unwrap_or_default();
        let mut command = Command::new(python);
        command.args(["-c", SERVER]).arg(folder.path()).args([word, &user, &password]);
        let mut program = Program::start("aiosmtpd", command, folder.path());
        let file = folder.path().join("port");
        program.wait_until(|| async { file.is_file() }).await;
        let port = fs::read_to_string(&file).unwrap().parse().unwrap();
        Some(Self { _program: program, folder, port })
    }

    /// The port on `localhost`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that vouches for it.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Waits until `count` mails have come or `limit` has passed; returns what there is.
    pub async fn wait_for_mails(&self, count: usize, limit: Duration) -> Vec<RealMail> {
        let end = tokio::time::Instant::now() + limit;
        loop {
            let mails = self.mails();
            if mails.len() >= count || tokio::time::Instant::now() >= end {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every mail kept, oldest first.
    pub fn mails(&self) -> Vec<RealMail> {
        let files = fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        files.sort();
        files.iter().map(|file| RealMail::read(&fs::read_to_string(file).unwrap())).collect()
    }
}

/// A mail and how it came.
#[derive(Debug)]
pub struct RealMail {
    /// The mail itself; its time of arrival is not known.
    pub mail: Mail,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether its sender had logged in.
    pub login: bool,
}

impl RealMail {
    fn read(json: &str) -> Self {
        let kept: Value = serde_json::from_str(json).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        // Latin-1: each character is one byte.
        let raw = text(&kept["message"]).chars().map(|c| c as u8).collect();
        let to = kept["to"].as_array().unwrap().iter().map(text).collect();
        Self {
            mail: Mail::parse(text(&kept["from"]), to, Timestamp::default(), raw),
            tls: kept["tls"] == true,
            login: kept["login"] == true,
        }
    }
}

fn find_python(test: &str) -> Option<PathBuf> {
    let can_serve = |python: &PathBuf| {
        let mut command = Command::new(python);
        command.args(["-c", "import aiosmtpd.smtp"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // Debian's own knows Debian's packages, whatever else stands first on the PATH.
    let candidates = [Some(PathBuf::from("/usr/bin/python3")), program::find(&["python3"])];
    let found = candidates.into_iter().flatten().find(can_serve);
    if found.is_none() {
        program::skip(test, "aiosmtpd for python3");
    }
    found
}
