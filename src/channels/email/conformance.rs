//! A mail server that wants a login.

use serde_json::json;

use super::*;
use crate::channels::conformance::{Case, Provider, clock};
use crate::fakes::Violations;
use crate::fakes::smtp::{Fault, SmtpFake, Stage};

const PASSWORD: &str = "canary-smtp-password-0001";

impl Provider for SmtpFake {
    fn violations(&self) -> Option<&Violations> {
        Some(self.violations())
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.stop())
    }

    fn hang(&self) {
        self.script(Stage::Message, Fault::Hang);
    }

    fn drop_after_taking(&self) {
        self.script(Stage::Message, Fault::DropAfterTaking);
    }

    fn repeat(&self, status: u16, text: &str) {
        let code = if status == 400 { 550 } else { 451 };
        self.script(Stage::MailFrom, Fault::reply(code, text));
    }

    /// SMTP ends the last line of a mail by itself.
    fn last_body(&self) -> Option<String> {
        let mail = self.mails().pop()?;
        Some(String::from_utf8_lossy(&mail.raw).trim_end().to_owned() + "\r\n")
    }
}

pub fn cases(timeout: Duration) -> BoxFuture<'static, Vec<Case>> {
    Box::pin(async move {
        let fake = SmtpFake::start(clock()).await.unwrap();
        fake.require_login("modelpager", PASSWORD);
        let address = fake.address();
        let settings = json!({
            "smtp": {
                "host": address.ip().to_string(), "port": address.port(), "tls": "none",
                "username": "modelpager", "password": PASSWORD, "helo": "modelpager.example",
            },
            "from": "Modelpager <modelpager@example.org>",
            "to": ["team@example.org"],
        });
        vec![Case::new("email", &KIND, fake, settings, timeout, &[PASSWORD])]
    })
}
