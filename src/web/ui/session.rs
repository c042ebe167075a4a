//! Sessions of people who logged in with a token, as a cookie that needs no memory: it says
//! which token and until when, sealed with what only that token's configuration gives.
//!
//! Promises: the token itself is in no cookie; every replica reads every other's sessions; a
//! session ends with its time, or when the token is changed or taken away.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::domain::clock::Timestamp;
use crate::web::tokens::{Actor, TokenSet};

/// The cookie's name.
pub const COOKIE: &str = "modelpager_session";
/// How long a session lasts: a week on call.
pub const LIFE: Duration = Duration::from_secs(7 * 24 * 3_600);
const VERSION: &str = "1";

/// A session of who holds the token of that name, until `until`. `None` when there is no such
/// token.
pub fn issue(tokens: &TokenSet, name: &str, until: Timestamp) -> Option<String> {
    let claim = format!("{VERSION}.{}.{}", until.as_millis(), BASE64_URL_SAFE_NO_PAD.encode(name));
    let seal = tokens.seal(name, &sealed(&claim))?;
    Some(format!("{claim}.{}", BASE64_URL_SAFE_NO_PAD.encode(seal)))
}

/// Whose session a cookie is, if it is one that still holds.
pub fn read(tokens: &TokenSet, cookie: &str, now: Timestamp) -> Option<Actor> {
    let (claim, seal) = cookie.rsplit_once('.')?;
    let mut parts = claim.split('.');
    let (version, until, name) = (parts.next()?, parts.next()?, parts.next()?);
    let until = Timestamp::from_millis(until.parse().ok()?);
    if version != VERSION || parts.next().is_some() || until <= now {
        return None;
    }
    let name = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
    let expected = tokens.seal(&name, &sealed(claim))?;
    let shown = BASE64_URL_SAFE_NO_PAD.decode(seal).ok()?;
    bool::from(expected.as_slice().ct_eq(&shown)).then(|| tokens.named(&name))?
}

/// No other use of the same key seals the same bytes.
fn sealed(claim: &str) -> Vec<u8> {
    format!("modelpager session\n{claim}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AuthConfig, Scope, TokenConfig};
    use crate::domain::secret::Secret;

    const NOW: Timestamp = Timestamp::from_millis(1_787_000_000_000);

    fn tokens(secret: &str) -> TokenSet {
        let token = |name: &str, secret: &str| TokenConfig {
            name: name.to_owned(),
            token: Secret::new(secret),
            scopes: vec![Scope::Read],
        };
        TokenSet::new(&AuthConfig {
            tokens: vec![token("ada.l", secret), token("bob", "another-token-0123")],
        })
    }

    #[test]
    fn a_session_is_its_holders_until_its_time_is_over() {
        let tokens = tokens("a-token-0123456789");
        let cookie = issue(&tokens, "ada.l", NOW.plus(LIFE)).unwrap();

        assert_eq!(read(&tokens, &cookie, NOW).unwrap().name, "ada.l");
        assert_eq!(read(&tokens, &cookie, NOW.plus(LIFE)), None);
        assert!(!cookie.contains("a-token"));
    }

    #[test]
    fn a_session_ends_with_its_token() {
        let cookie = issue(&tokens("a-token-0123456789"), "ada.l", NOW.plus(LIFE)).unwrap();

        assert_eq!(read(&tokens("a-new-token-0123456"), &cookie, NOW), None);
        assert_eq!(read(&TokenSet::default(), &cookie, NOW), None);
    }

    #[test]
    fn no_edited_session_is_taken() {
        let tokens = tokens("a-token-0123456789");
        let cookie = issue(&tokens, "ada.l", NOW.plus(LIFE)).unwrap();

        for place in 0..cookie.len() {
            for byte in *b"A0.b" {
                let mut edited = cookie.clone().into_bytes();
                if edited[place] == byte {
                    continue;
                }
                edited[place] = byte;
                let edited = String::from_utf8(edited).unwrap();
                let taken = read(&tokens, &edited, NOW);
                // The last digit of base64 has bits that mean nothing; a lenient decoder would take them.
                assert_eq!(taken, None, "{edited}");
            }
            assert_eq!(read(&tokens, &cookie[..place], NOW), None);
        }
        for garbage in ["", ".", "...", "1.2.3.4", "\u{0}", "1.99999999999999.YWRhLmw."] {
            assert_eq!(read(&tokens, garbage, NOW), None, "{garbage}");
        }
    }
}
