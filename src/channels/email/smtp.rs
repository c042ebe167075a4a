//! The dialogue with a mail server, command by command, so that each recipient has an
//! answer of its own and a broken connection has a place where it broke.

use std::fmt;
use std::sync::OnceLock;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout_at};

use super::lines::LineStream;
use crate::domain::connection;
use crate::domain::outcome::SendOutcome;
use crate::http::Deadline;

/// How long the farewell may take: the mail is delivered or refused by then.
const FAREWELL: Duration = Duration::from_millis(500);

/// A mail server and how to talk to it.
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub protection: Protection,
    pub credentials: Option<Credentials>,
    pub helo: ClientId,
    pub ca: Option<Certificate>,
    /// Made when first needed: it reads the system's certificates.
    pub tls: OnceLock<Result<TlsParameters, String>>,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Not at all. Nobody logs in over it, except on this machine.
    None,
    /// `STARTTLS`, required: a server that does not offer it gets no mail.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl Protection {
    /// The usual port.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// A mail with its envelope.
pub struct Envelope<'a> {
    pub from: &'a Address,
    pub to: &'a [Address],
    pub mail: &'a [u8],
}

/// What became of each recipient of a mail that was taken by the server.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The server answers for these.
    pub taken: Vec<String>,
    /// The server never will.
    pub refused: Vec<Refusal>,
    /// The server may later.
    pub deferred: Vec<Refusal>,
    /// The server's last word.
    pub answer: String,
    /// Its code.
    pub status: Option<u16>,
}

/// A recipient the server did not take.
#[derive(Debug)]
pub struct Refusal {
    pub address: String,
    pub status: Option<u16>,
    /// The server's answer.
    pub message: String,
}

/// A mail that nobody got, or nobody knows who.
#[derive(Debug)]
pub struct Failure {
    /// Never `Accepted`.
    pub outcome: SendOutcome,
    pub status: Option<u16>,
    /// The server's answer, when it gave one; may repeat a secret.
    pub message: String,
    /// The server is not to be bothered with anything for a while.
    pub slows_channel: bool,
}

/// How far the dialogue has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    StartingTls,
    LoggingIn,
    Envelope,
    /// From the first byte of the mail to the answer: only here may a broken connection
    /// have left a delivered mail behind.
    Content,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::StartingTls => "starting TLS",
            Self::LoggingIn => "logging in",
            Self::Envelope => "naming sender and recipients",
            Self::Content => "handing over the mail",
        })
    }
}

impl Smtp {
    /// Hands over one mail to as many of its recipients as the server takes.
    ///
    /// # Errors
    /// When the server took it for nobody, or that cannot be known.
    pub async fn deliver(&self, envelope: &Envelope<'_>, deadline: Deadline) -> Result<Delivery, Failure> {
        let session = Session { server: self, deadline };
        let mut connection = session.open().await?;
        let delivery = session.hand_over(&mut connection, envelope).await;
        // The server has said what counts; whether it answers the farewell does not.
        let farewell = session.deadline.instant().min(Instant::now() + FAREWELL);
        let _ = timeout_at(farewell, connection.quit()).await;
        delivery
    }

    fn tls_parameters(&self) -> Result<TlsParameters, Failure> {
        let made = self.tls.get_or_init(|| {
            let mut builder = TlsParameters::builder(self.host.clone());
            if let Some(ca) = &self.ca {
                builder = builder.add_root_certificate(ca.clone());
            }
            builder.build_rustls().map_err(|error| error.to_string())
        });
        made.clone().map_err(|error| Failure {
            outcome: SendOutcome::NotProcessed,
            status: None,
            message: format!("cannot set up TLS: {error}"),
            slows_channel: false,
        })
    }
}

/// One dialogue.
struct Session<'a> {
    server: &'a Smtp,
    deadline: Deadline,
}

impl Session<'_> {
    async fn open(&self) -> Result<AsyncSmtpConnection, Failure> {
        let Smtp { host, port, helo, .. } = self.server;
        let mut connection = match self.server.protection {
            Protection::Tls => {
                let tls = self.server.tls_parameters()?;
                let address = (host.as_str(), *port);
                let connect = AsyncSmtpConnection::connect_tokio1(address, None, helo, Some(tls), None);
                self.step(Stage::Connecting, connect).await?
            }
            Protection::None | Protection::StartTls => {
                let stream = self.connect().await?;
                let connect = AsyncSmtpConnection::connect_with_transport(Box::new(stream), helo);
                self.step(Stage::Connecting, connect).await?
            }
        };
        if self.server.protection == Protection::StartTls {
            let tls = self.server.tls_parameters()?;
            self.step(Stage::StartingTls, connection.starttls(tls, helo)).await?;
        }
        if let Some(credentials) = &self.server.credentials {
            self.step(Stage::LoggingIn, connection.auth(DEFAULT_MECHANISMS, credentials)).await?;
        }
        Ok(connection)
    }

    async fn connect(&self) -> Result<LineStream, Failure> {
        let address = (self.server.host.as_str(), self.server.port);
        let connected = timeout_at(self.deadline.instant(), TcpStream::connect(address)).await;
        let stream = connected
            .map_err(|_| self.late(Stage::Connecting))?
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|error| self.not_processed(format!("cannot connect: {}", connection::reason(&error))))?;
        let stream = LineStream::new(stream);
        Ok(if self.server.protection == Protection::None { stream.of_text() } else { stream })
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope<'_>,
    ) -> Result<Delivery, Failure> {
        let mut parameters = Vec::new();
        if std::iter::once(envelope.from).chain(envelope.to).any(|address| !is_ascii(address)) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure {
                    outcome: SendOutcome::Rejected,
                    ..self.not_processed("the server takes no addresses beyond ASCII".to_owned())
                });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let sender = Mail::new(Some(envelope.from.clone()), parameters);
        self.step(Stage::Envelope, connection.command(sender)).await?;
        let mut delivery = self.name_recipients(connection, envelope.to).await?;
        self.step(Stage::Envelope, connection.command(Data)).await?;
        let answer = self.step(Stage::Content, connection.message(envelope.mail)).await?;
        let status = u16::from(answer.code());
        if !(200..=299).contains(&status) {
            // Dialogue and server are out of step: what was it that it agreed to?
            return Err(Failure {
                outcome: SendOutcome::Ambiguous,
                status: Some(status),
                ..self.not_processed(format!("answered {status} to the mail"))
            });
        }
        delivery.status = Some(status);
        delivery.answer = answer.message().collect::<Vec<_>>().join(" ");
        Ok(delivery)
    }

    /// Goes on when the server takes at least one of them.
    async fn name_recipients(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &[Address],
    ) -> Result<Delivery, Failure> {
        let mut delivery = Delivery::default();
        for address in to {
            let command = connection.command(Rcpt::new(address.clone(), Vec::new()));
            let Err(failure) = self.step(Stage::Envelope, command).await else {
                delivery.taken.push(address.to_string());
                continue;
            };
            // 421: the server hangs up. No status: the connection broke.
            if failure.status.is_none_or(|status| status == 421) {
                return Err(failure);
            }
            let Failure { outcome, status, message, .. } = failure;
            let refusal = Refusal { address: address.to_string(), status, message };
            match outcome {
                SendOutcome::Rejected => delivery.refused.push(refusal),
                _ => delivery.deferred.push(refusal),
            }
        }
        if delivery.taken.is_empty() {
            return Err(nobody(delivery));
        }
        Ok(delivery)
    }

    /// One step of the dialogue, ended by the deadline.
    async fn step<T>(
        &self,
        stage: Stage,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        match timeout_at(self.deadline.instant(), step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failure(stage, &error)),
            Err(_) => Err(self.late(stage)),
        }
    }

    fn late(&self, stage: Stage) -> Failure {
        let outcome =
            if stage == Stage::Content { SendOutcome::Ambiguous } else { SendOutcome::NotProcessed };
        Failure { outcome, ..self.not_processed(format!("while {stage}: {}", self.deadline.exceeded())) }
    }

    fn not_processed(&self, message: String) -> Failure {
        Failure { outcome: SendOutcome::NotProcessed, status: None, message, slows_channel: false }
    }
}

/// What an error means: a 4yz reply is "not now", a 5yz reply "never"; without a reply
/// the mail cannot have been delivered unless it was being handed over.
fn failure(stage: Stage, error: &Error) -> Failure {
    let status = error.status().map(u16::from);
    let outcome = if error.is_permanent() || (status.is_none() && error.is_client()) {
        SendOutcome::Rejected
    } else if status.is_none() && stage == Stage::Content {
        SendOutcome::Ambiguous
    } else {
        SendOutcome::NotProcessed
    };
    Failure {
        outcome,
        status,
        message: format!("while {stage}: {}", told(error)),
        slows_channel: matches!(status, Some(421 | 454)),
    }
}

/// What the server replied, or plain words for a connection that failed.
fn told(error: &Error) -> String {
    connection::plain_words(error).map_or_else(|| error.to_string(), str::to_owned)
}

fn nobody(delivery: Delivery) -> Failure {
    let (outcome, refusals) = if delivery.deferred.is_empty() {
        (SendOutcome::Rejected, delivery.refused)
    } else {
        (SendOutcome::NotProcessed, delivery.deferred)
    };
    Failure {
        outcome,
        status: refusals.first().and_then(|refusal| refusal.status),
        message: format!("no recipient was taken: {}", list(&refusals)),
        slows_channel: false,
    }
}

/// `a@b.c (550: no such user), …`
pub fn list(refusals: &[Refusal]) -> String {
    let each = refusals.iter().map(|refusal| format!("{} ({})", refusal.address, refusal.message));
    each.collect::<Vec<_>>().join(", ")
}

fn is_ascii(address: &Address) -> bool {
    AsRef::<str>::as_ref(address).is_ascii()
}
