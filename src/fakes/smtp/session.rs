//! One dialogue with a sender, as RFC 5321 has it.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::mail::Mail;
use super::{Fault, Shared, Stage, rules};

/// No line of a dialogue, and no line of a message by far, is as long as this.
const MAX_LINE: usize = 64 * 1024;
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Serves one connection. What breaks it has nobody to report to.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut session =
        Session { wire: Wire { stream, buffer: Vec::new(), last_reply: 0 }, shared, state: State::default() };
    let _ = session.run().await;
}

/// Whether the dialogue goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    End,
}

#[derive(Default)]
struct State {
    greeted: bool,
    logged_in: bool,
    from: Option<String>,
    eight_bit: bool,
    to: Vec<String>,
}

impl State {
    fn forget_mail(&mut self) {
        self.from = None;
        self.eight_bit = false;
        self.to.clear();
    }
}

struct Session {
    wire: Wire,
    shared: Arc<Shared>,
    state: State,
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        if self.at(Stage::Connect, 220, "fake.example ESMTP").await? == Flow::End {
            return Ok(());
        }
        while let Some(line) = self.wire.read_line().await? {
            if self.command(&line).await? == Flow::End {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn command(&mut self, line: &str) -> io::Result<Flow> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => self.ehlo(argument).await,
            "AUTH" => self.auth(argument).await,
            "MAIL" => self.mail_from(argument).await,
            "RCPT" => self.rcpt_to(argument).await,
            "DATA" => self.data().await,
            "RSET" => {
                self.state.forget_mail();
                self.reply(250, "2.0.0 OK").await
            }
            "NOOP" => self.reply(250, "2.0.0 OK").await,
            "QUIT" => {
                self.reply(221, "2.0.0 bye").await?;
                Ok(Flow::End)
            }
            _ => self.refuse("smtp.command", 500, "5.5.2 command not recognized", line).await,
        }
    }

    async fn ehlo(&mut self, name: &str) -> io::Result<Flow> {
        if name.trim().is_empty() {
            return self.refuse("smtp.ehlo", 501, "5.5.4 EHLO needs a name", name).await;
        }
        self.state.greeted = true;
        self.state.forget_mail();
        let (auth, size) = {
            let settings = self.shared.settings.lock();
            (settings.login.is_some(), settings.most_bytes)
        };
        let auth = if auth { "\nAUTH PLAIN LOGIN" } else { "" };
        let text = format!("fake.example\nSIZE {size}\n8BITMIME{auth}\nENHANCEDSTATUSCODES");
        self.at(Stage::Ehlo, 250, &text).await
    }

    async fn auth(&mut self, argument: &str) -> io::Result<Flow> {
        if let Some(fault) = self.take(Stage::Auth) {
            return self.suffer(fault).await;
        }
        let Some(wanted) = self.shared.settings.lock().login.clone() else {
            return self.refuse("smtp.auth", 503, "5.5.1 no AUTH was offered", "AUTH").await;
        };
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => self.auth_plain(initial).await?,
            "LOGIN" => self.auth_login(initial).await?,
            _ => return self.refuse("smtp.auth", 504, "5.5.4 mechanism not offered", mechanism).await,
        };
        if given.as_ref() != Some(&wanted) {
            // What was given may be somebody's real password: it is not noted.
            return self
                .refuse("smtp.login", 535, "5.7.8 authentication failed", "wrong user or password")
                .await;
        }
        self.state.logged_in = true;
        self.reply(235, "2.7.0 authentication succeeded").await
    }

    async fn auth_plain(&mut self, initial: &str) -> io::Result<Option<(String, String)>> {
        let answer = if initial.is_empty() { self.ask("").await? } else { initial.to_owned() };
        let decoded = decode_base64(&answer);
        let mut fields = decoded.split('\0').skip(1).map(str::to_owned);
        Ok(fields.next().zip(fields.next()))
    }

    async fn auth_login(&mut self, initial: &str) -> io::Result<Option<(String, String)>> {
        let user = if initial.is_empty() { self.ask("VXNlcm5hbWU6").await? } else { initial.to_owned() };
        let password = self.ask("UGFzc3dvcmQ6").await?;
        Ok(Some((decode_base64(&user), decode_base64(&password))))
    }

    async fn ask(&mut self, prompt: &str) -> io::Result<String> {
        self.reply(334, prompt).await?;
        Ok(self.wire.read_line().await?.unwrap_or_default())
    }

    async fn mail_from(&mut self, argument: &str) -> io::Result<Flow> {
        if !self.state.greeted || self.state.from.is_some() {
            return self.refuse("smtp.sequence", 503, "5.5.1 bad sequence of commands", "MAIL").await;
        }
        if !self.state.logged_in && self.shared.settings.lock().login.is_some() {
            return self.refuse("smtp.auth", 530, "5.7.0 authentication required", "MAIL before AUTH").await;
        }
        let Some((address, parameters)) = parse_path(argument, "FROM:") else {
            return self.refuse("smtp.path", 501, "5.1.7 bad sender address", argument).await;
        };
        self.state.eight_bit = parameters.to_ascii_uppercase().contains("BODY=8BITMIME");
        let flow = self.at(Stage::MailFrom, 250, "2.1.0 sender ok").await?;
        if self.wire.last_reply == 250 {
            self.state.from = Some(address);
        }
        Ok(flow)
    }

    async fn rcpt_to(&mut self, argument: &str) -> io::Result<Flow> {
        if self.state.from.is_none() {
            return self.refuse("smtp.sequence", 503, "5.5.1 need MAIL first", "RCPT").await;
        }
        let address = parse_path(argument, "TO:").map(|(address, _)| address);
        let Some(address) = address.filter(|address| address.contains('@')) else {
            return self.refuse("smtp.path", 501, "5.1.3 bad recipient address", argument).await;
        };
        let refused = self.shared.script.lock().recipient(&address);
        if let Some(fault) = refused {
            return self.suffer(fault).await;
        }
        let flow = self.at(Stage::RcptTo, 250, "2.1.5 recipient ok").await?;
        if self.wire.last_reply == 250 {
            self.state.to.push(address);
        }
        Ok(flow)
    }

    async fn data(&mut self) -> io::Result<Flow> {
        if self.state.to.is_empty() {
            return self.refuse("smtp.sequence", 503, "5.5.1 need RCPT first", "DATA").await;
        }
        let flow = self.at(Stage::Data, 354, "end with <CRLF>.<CRLF>").await?;
        if self.wire.last_reply != 354 {
            return Ok(flow);
        }
        let Some(message) = self.wire.read_message().await? else { return Ok(Flow::End) };
        self.message(&message).await
    }

    /// The message is here; what is said now decides whose it is.
    async fn message(&mut self, stuffed: &[u8]) -> io::Result<Flow> {
        let fault = self.take(Stage::Message);
        if let Some(fault) = fault.as_ref().filter(|&fault| *fault != Fault::DropAfterTaking) {
            self.state.forget_mail();
            return self.suffer(fault.clone()).await;
        }
        let most = self.shared.settings.lock().most_bytes;
        if stuffed.len() > most {
            self.state.forget_mail();
            return self.reply(552, "5.3.4 message too big").await;
        }
        let raw = rules::unstuff(stuffed, &self.shared.violations);
        let mail = Mail::parse(
            self.state.from.take().unwrap_or_default(),
            std::mem::take(&mut self.state.to),
            self.shared.clock.now(),
            raw,
        );
        let broken = rules::check(&mail, self.state.eight_bit);
        self.state.forget_mail();
        if !broken.is_empty() {
            broken.iter().for_each(|(rule, detail)| self.shared.violations.record(rule, detail));
            return self.reply(554, "5.6.0 message refused").await;
        }
        self.shared.mailbox.lock().push(mail);
        self.shared.arrived.send_modify(|n| *n += 1);
        match fault {
            Some(_) => Ok(Flow::End),
            None => self.reply(250, "2.0.0 taken").await,
        }
    }

    fn take(&self, stage: Stage) -> Option<Fault> {
        self.shared.script.lock().take(stage)
    }

    /// The scripted fault of `stage`, or else the usual reply.
    async fn at(&mut self, stage: Stage, code: u16, text: &str) -> io::Result<Flow> {
        match self.take(stage) {
            Some(fault) => self.suffer(fault).await,
            None => self.reply(code, text).await,
        }
    }

    async fn suffer(&mut self, fault: Fault) -> io::Result<Flow> {
        self.wire.last_reply = 0;
        match fault {
            Fault::Reply(code, text) => {
                self.reply(code, &text).await?;
                Ok(if code == 421 { Flow::End } else { Flow::Continue })
            }
            Fault::Drop | Fault::DropAfterTaking => Ok(Flow::End),
            Fault::Hang => {
                self.wire.swallow().await?;
                Ok(Flow::End)
            }
        }
    }

    async fn refuse(&mut self, rule: &'static str, code: u16, text: &str, seen: &str) -> io::Result<Flow> {
        self.shared.violations.record(rule, seen);
        self.reply(code, text).await
    }

    async fn reply(&mut self, code: u16, text: &str) -> io::Result<Flow> {
        self.wire.reply(code, text).await?;
        Ok(Flow::Continue)
    }
}

/// `FROM:<a@b.c> BODY=8BITMIME` → the address and the parameters.
fn parse_path(argument: &str, keyword: &str) -> Option<(String, String)> {
    let head = argument.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let path = argument[keyword.len()..].trim_start().strip_prefix('<')?;
    let (address, parameters) = path.split_once('>')?;
    let clean = !address.chars().any(|c| c.is_whitespace() || c.is_control() || c == '<');
    clean.then(|| (address.to_owned(), parameters.trim().to_owned()))
}

fn decode_base64(text: &str) -> String {
    let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines in, replies out.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    last_reply: u16,
}

impl Wire {
    async fn reply(&mut self, code: u16, text: &str) -> io::Result<()> {
        self.last_reply = code;
        let lines: Vec<&str> = text.split('\n').collect();
        let mut reply = String::new();
        for (index, line) in lines.iter().enumerate() {
            let mark = if index + 1 < lines.len() { '-' } else { ' ' };
            reply += &format!("{code}{mark}{line}\r\n");
        }
        self.stream.write_all(reply.as_bytes()).await
    }

    async fn read_line(&mut self) -> io::Result<Option<String>> {
        let Some(end) = self.fill_until(b"\r\n", MAX_LINE).await? else { return Ok(None) };
        let line: Vec<u8> = self.buffer.drain(..end).collect();
        Ok(Some(String::from_utf8_lossy(&line[..line.len() - 2]).into_owned()))
    }

    /// Everything up to the final dot, dots still doubled.
    async fn read_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.fill_until(b".\r\n", MAX_MESSAGE).await? == Some(3) {
            self.buffer.drain(..3);
            return Ok(Some(Vec::new()));
        }
        let Some(end) = self.fill_until(b"\r\n.\r\n", MAX_MESSAGE).await? else { return Ok(None) };
        let mut message: Vec<u8> = self.buffer.drain(..end).collect();
        message.truncate(end - 3);
        Ok(Some(message))
    }

    async fn fill_until(&mut self, mark: &[u8], most: usize) -> io::Result<Option<usize>> {
        let mut searched = 0;
        loop {
            let found = self.buffer[searched..].windows(mark.len()).position(|window| window == mark);
            if let Some(start) = found {
                return Ok(Some(searched + start + mark.len()));
            }
            searched = self.buffer.len().saturating_sub(mark.len() - 1);
            if self.buffer.len() > most {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "line above the bound"));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads until the peer closes.
    async fn swallow(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 1024]).await? > 0 {}
        Ok(())
    }
}
