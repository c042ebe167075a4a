//! Dialogues by hand, so that every byte and every wrong turn can be said.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;
use crate::domain::clock::{ManualClock, Timestamp};

const LIMIT: Duration = Duration::from_secs(10);

const MAIL: &str = "From: Modelpager <a@b.example>\r\n\
    To: team@b.example\r\n\
    Date: Thu, 20 Aug 2026 10:00:00 +0000\r\n\
    Message-ID: <n1.1@modelpager>\r\n\
    References: <root@modelpager>\r\n\
    Subject: =?utf-8?B?RHJpZnQg4oCTIGZyYXVk?=\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative;\r\n boundary=\"xx\"\r\n\
    \r\n\
    --xx\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\
    \r\n\
    Gr=C3=BC=C3=9Fe\r\n\
    --xx\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Transfer-Encoding: base64\r\n\
    \r\n\
    PGI+R3LDvMOfZTwvYj4=\r\n\
    --xx--\r\n";

struct Sender(BufReader<TcpStream>);

impl Sender {
    async fn connect(fake: &SmtpFake) -> Self {
        let mut sender = Self(BufReader::new(TcpStream::connect(fake.address()).await.unwrap()));
        assert_eq!(sender.reply().await, 220);
        assert_eq!(sender.say("EHLO client.example").await, 250);
        sender
    }

    /// The next reply's code; 0 when the connection has ended.
    async fn reply(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            tokio::time::timeout(LIMIT, self.0.read_line(&mut line)).await.unwrap().unwrap_or(0);
            if line.is_empty() {
                return 0;
            }
            if line.as_bytes()[3] == b' ' {
                return line[..3].parse().unwrap();
            }
        }
    }

    async fn say(&mut self, line: &str) -> u16 {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.reply().await
    }

    async fn envelope(&mut self) {
        assert_eq!(self.say("MAIL FROM:<a@b.example>").await, 250);
        assert_eq!(self.say("RCPT TO:<team@b.example>").await, 250);
        assert_eq!(self.say("DATA").await, 354);
    }

    /// A whole mail, its dots stuffed already.
    async fn send(&mut self, message: &str) -> u16 {
        self.envelope().await;
        self.say(&format!("{message}.")).await
    }
}

async fn start() -> SmtpFake {
    SmtpFake::start(Arc::new(ManualClock::at(Timestamp::from_millis(1_000)))).await.unwrap()
}

fn rules(fake: &SmtpFake) -> Vec<&'static str> {
    fake.violations().take().into_iter().map(|violation| violation.rule).collect()
}

#[tokio::test]
async fn a_mail_is_kept_with_everything_decoded() {
    let fake = start().await;
    let mut sender = Sender::connect(&fake).await;

    assert_eq!(sender.send(MAIL).await, 250);
    assert_eq!(sender.say("QUIT").await, 221);

    let mails = fake.wait_for_mails(1, LIMIT).await;
    let mail = &mails[0];
    assert_eq!(mail.from, "a@b.example");
    assert_eq!(mail.to, ["team@b.example"]);
    assert_eq!(mail.received_at, Timestamp::from_millis(1_000));
    assert_eq!(mail.subject(), "Drift – fraud");
    assert_eq!(mail.message_id(), "<n1.1@modelpager>");
    assert_eq!(mail.header("references").unwrap(), "<root@modelpager>");
    assert_eq!((mail.text().as_str(), mail.html().as_str()), ("Grüße", "<b>Grüße</b>"));
    fake.violations().assert_clean();
}

#[tokio::test]
async fn one_session_may_send_many_mails() {
    let fake = start().await;
    let mut sender = Sender::connect(&fake).await;

    assert_eq!(sender.send(MAIL).await, 250);
    assert_eq!(sender.say("RSET").await, 250);
    assert_eq!(sender.send(MAIL).await, 250);

    assert_eq!(fake.mails().len(), 2);
}

#[tokio::test]
async fn dots_are_unstuffed_and_missing_ones_noted() {
    let fake = start().await;
    let mut sender = Sender::connect(&fake).await;
    let simple = MAIL.split("Content-Type: multipart").next().unwrap().to_owned();

    sender.send(&format!("{simple}\r\n..dot\r\n....\r\nend\r\n")).await;
    assert_eq!(fake.mails()[0].text(), ".dot\r\n...\r\nend\r\n");
    fake.violations().assert_clean();

    sender.send(&format!("{simple}\r\n.dot\r\n")).await;
    assert_eq!(rules(&fake), ["smtp.dot_stuffing"]);
}

#[tokio::test]
async fn every_stage_can_refuse() {
    let fake = start().await;
    let mut sender = Sender::connect(&fake).await;
    fake.script(Stage::MailFrom, Fault::reply(451, "4.3.0 later"));
    fake.script(Stage::RcptTo, Fault::reply(450, "4.2.1 busy"));
    fake.script(Stage::Data, Fault::reply(452, "4.3.1 full"));
    fake.script(Stage::Message, Fault::reply(550, "5.7.1 spam"));

    assert_eq!(sender.say("MAIL FROM:<a@b.example>").await, 451);
    assert_eq!(sender.say("MAIL FROM:<a@b.example>").await, 250);
    assert_eq!(sender.say("RCPT TO:<c@b.example>").await, 450);
    assert_eq!(sender.say("RCPT TO:<team@b.example>").await, 250);
    assert_eq!(sender.say("DATA").await, 452);
    assert_eq!(sender.say("DATA").await, 354);
    assert_eq!(sender.say(&format!("{MAIL}.")).await, 550);

    assert!(fake.mails().is_empty());
    assert_eq!(sender.send(MAIL).await, 250);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn greeting_and_ehlo_can_fail_and_421_ends_the_connection() {
    let fake = start().await;
    fake.script(Stage::Connect, Fault::reply(421, "4.3.2 closing"));
    fake.script(Stage::Connect, Fault::Drop);

    let connect = || async { Sender(BufReader::new(TcpStream::connect(fake.address()).await.unwrap())) };
    let mut refused = connect().await;
    assert_eq!((refused.reply().await, refused.reply().await), (421, 0));
    assert_eq!(connect().await.reply().await, 0);

    fake.always(Stage::Ehlo, Fault::reply(502, "5.5.1 no"));
    let mut sender = connect().await;
    sender.reply().await;
    assert_eq!(sender.say("EHLO x").await, 502);
    fake.clear();
    assert_eq!(sender.say("EHLO x").await, 250);
}

#[tokio::test]
async fn recipients_are_judged_one_by_one() {
    let fake = start().await;
    fake.refuse_recipient("gone@b.example", 550, "5.1.1 no such user");
    let mut sender = Sender::connect(&fake).await;

    assert_eq!(sender.say("MAIL FROM:<a@b.example>").await, 250);
    assert_eq!(sender.say("RCPT TO:<Gone@b.example>").await, 550);
    assert_eq!(sender.say("RCPT TO:<team@b.example>").await, 250);
    assert_eq!(sender.say("DATA").await, 354);
    assert_eq!(sender.say(&format!("{MAIL}.")).await, 250);

    assert_eq!(fake.mails()[0].to, ["team@b.example"]);
}

#[tokio::test]
async fn a_connection_lost_after_the_dot_may_or_may_not_have_taken_the_mail() {
    let fake = start().await;
    fake.script(Stage::Message, Fault::DropAfterTaking);
    fake.script(Stage::Message, Fault::Drop);

    assert_eq!(Sender::connect(&fake).await.send(MAIL).await, 0);
    assert_eq!(fake.mails().len(), 1);
    assert_eq!(Sender::connect(&fake).await.send(MAIL).await, 0);
    assert_eq!(fake.mails().len(), 1);
}

#[tokio::test]
async fn a_hang_says_nothing_until_the_sender_leaves() {
    let fake = start().await;
    fake.script(Stage::Data, Fault::Hang);
    let mut sender = Sender::connect(&fake).await;
    sender.say("MAIL FROM:<a@b.example>").await;
    sender.say("RCPT TO:<team@b.example>").await;
    sender.0.write_all(b"DATA\r\n").await.unwrap();

    let waited = tokio::time::timeout(Duration::from_millis(50), sender.0.read(&mut [0])).await;
    assert!(waited.is_err());

    fake.stop().await;
    assert!(TcpStream::connect(fake.address()).await.is_err());
    fake.restart().await.unwrap();
    assert_eq!(Sender::connect(&fake).await.send(MAIL).await, 250);
}

#[tokio::test]
async fn logins_are_checked_in_both_ways() {
    let fake = start().await;
    fake.require_login("bot", "secret");
    let mut sender = Sender::connect(&fake).await;

    assert_eq!(sender.say("MAIL FROM:<a@b.example>").await, 530);
    assert_eq!(sender.say("AUTH PLAIN AGJvdAB3cm9uZw==").await, 535);
    assert_eq!(rules(&fake), ["smtp.auth", "smtp.login"]);
    assert_eq!(sender.say("AUTH PLAIN AGJvdABzZWNyZXQ=").await, 235);
    assert_eq!(sender.send(MAIL).await, 250);

    let mut sender = Sender::connect(&fake).await;
    assert_eq!(sender.say("AUTH LOGIN").await, 334);
    assert_eq!(sender.say("Ym90").await, 334);
    assert_eq!(sender.say("c2VjcmV0").await, 235);
    fake.violations().assert_clean();

    fake.script(Stage::Auth, Fault::reply(454, "4.7.0 later"));
    assert_eq!(sender.say("AUTH PLAIN AGJvdABzZWNyZXQ=").await, 454);
}

#[tokio::test]
async fn a_mail_may_be_as_large_as_the_limit() {
    let fake = start().await;
    let mut sender = Sender::connect(&fake).await;

    fake.limit_size(MAIL.len());
    assert_eq!(sender.send(MAIL).await, 250);
    fake.limit_size(MAIL.len() - 1);
    assert_eq!(sender.send(MAIL).await, 552);
}

#[tokio::test]
async fn commands_out_of_order_or_unknown_are_refused() {
    let fake = start().await;
    let mut sender = Sender(BufReader::new(TcpStream::connect(fake.address()).await.unwrap()));
    sender.reply().await;

    let cases = [
        ("MAIL FROM:<a@b.example>", 503),
        ("EHLO", 501),
        ("EHLO x", 250),
        ("RCPT TO:<a@b.example>", 503),
        ("MAIL FROM:a@b.example", 501),
        ("MAIL FROM:<a@b.example> BODY=8BITMIME", 250),
        ("RCPT TO:<nobody>", 501),
        ("RCPT TO:<a b@c>", 501),
        ("DATA", 503),
        ("TURN", 500),
        ("AUTH PLAIN x", 503),
    ];
    for (line, code) in cases {
        assert_eq!(sender.say(line).await, code, "{line}");
    }
    assert_eq!(rules(&fake).len(), 9);
}

#[tokio::test]
async fn messages_that_are_none_are_refused_with_the_rule() {
    let with = |from: &str, to: &str| MAIL.replacen(from, to, 1);
    let line = |n: usize| with("Gr=C3=BC=C3=9Fe", &"x".repeat(n));
    let word =
        |n: usize| with("=?utf-8?B?RHJpZnQg4oCTIGZyYXVk?=", &format!("=?utf-8?Q?{}?=", "x".repeat(n - 12)));
    let cases = [
        (with("Subject:", "X-Subject:"), vec!["smtp.header_count"]),
        (with("To: team", "To: c@b.example\r\nTo: team"), vec!["smtp.header_count"]),
        (with("Thu, 20 Aug", "20. August"), vec!["smtp.date"]),
        (with("<n1.1@modelpager>", "n1"), vec!["smtp.message_id"]),
        (with("<root@modelpager>", "<root@model pager>"), vec!["smtp.message_id"]),
        (with("Gr=C3=BC", "Grü"), vec!["smtp.eight_bit"]),
        (
            with("=?utf-8?B?RHJpZnQg4oCTIGZyYXVk?=", "Drift – fraud"),
            vec!["smtp.eight_bit", "smtp.header_ascii"],
        ),
        (with("Gr=C3=BC", "a\nb"), vec!["smtp.bare_newline"]),
        (with("Gr=C3=BC", "a\rb"), vec!["smtp.bare_newline"]),
        (with("Gr=C3=BC", "a\0b"), vec!["smtp.nul"]),
        (with("Gr=C3=BC", "Gr=C3"), vec!["smtp.encoding"]),
        (with("boundary=\"xx\"", "boundary=\"yy\""), vec!["smtp.parts"]),
        (line(998), vec![]),
        (line(999), vec!["smtp.line_length"]),
        (word(75), vec![]),
        (word(76), vec!["smtp.encoded_word"]),
        (
            MAIL.replace("text/plain", "text/x")
                .replace("text/html", "text/plain")
                .replace("text/x", "text/html"),
            vec!["smtp.part_order"],
        ),
    ];
    for (message, broken) in cases {
        let fake = start().await;
        let code = Sender::connect(&fake).await.send(&message).await;
        assert_eq!(rules(&fake), broken, "{message}");
        assert_eq!(code, if broken.is_empty() { 250 } else { 554 });
        assert_eq!(fake.mails().is_empty(), !broken.is_empty());
    }
}

#[tokio::test]
async fn eight_bits_may_be_sent_where_they_were_announced() {
    let fake = start().await;
    let mut sender = Sender::connect(&fake).await;
    let message = MAIL.replacen("quoted-printable", "8bit", 1).replacen("Gr=C3=BC=C3=9Fe", "Grüße", 1);

    assert_eq!(sender.say("MAIL FROM:<a@b.example> BODY=8BITMIME").await, 250);
    assert_eq!(sender.say("RCPT TO:<team@b.example>").await, 250);
    assert_eq!(sender.say("DATA").await, 354);
    assert_eq!(sender.say(&format!("{message}.")).await, 250);

    assert_eq!(fake.mails()[0].text(), "Grüße");
}
