//! Sessions of people who logged in with a token, as a cookie that needs no memory: it says
//! which token and until when, sealed with what only that token's configuration gives.
//!
//! Promises: the token itself is in no cookie; every replica reads every other's sessions; a
//! session ends with its time, when its holder logs out, or when the token is changed or taken away.

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
const VERSION: &str = "2";

/// A session as its cookie tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub actor: Actor,
    /// Its own name, by which it is ended.
    pub id: String,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// The cookie of the session `id` of who holds the token of that name, until `until`. `None` when
/// there is no such token.
pub fn issue(tokens: &TokenSet, name: &str, id: &str, until: Timestamp) -> Option<String> {
    let name_in_cookie = BASE64_URL_SAFE_NO_PAD.encode(name);
    let claim = format!("{VERSION}.{}.{name_in_cookie}.{id}", until.as_millis());
    let seal = tokens.seal(name, &sealed(&claim))?;
    Some(format!("{claim}.{}", BASE64_URL_SAFE_NO_PAD.encode(seal)))
}

/// The session of a cookie whose time is not over. Whether it was ended only the store knows.
pub fn read(tokens: &TokenSet, cookie: &str, now: Timestamp) -> Option<Session> {
    let (claim, seal) = cookie.rsplit_once('.')?;
    let mut parts = claim.split('.');
    let (version, until, name, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let until = Timestamp::from_millis(until.parse().ok()?);
    if version != VERSION || parts.next().is_some() || until <= now {
        return None;
    }
    let name = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
    let expected = tokens.seal(&name, &sealed(claim))?;
    let shown = BASE64_URL_SAFE_NO_PAD.decode(seal).ok()?;
    if !bool::from(expected.as_slice().ct_eq(&shown)) {
        return None;
    }
    Some(Session { actor: tokens.named(&name)?, id: id.to_owned(), until })
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
        let cookie = issue(&tokens, "ada.l", "id-1", NOW.plus(LIFE)).unwrap();

        let session = read(&tokens, &cookie, NOW).unwrap();
        assert_eq!((session.actor.name.as_str(), session.id.as_str()), ("ada.l", "id-1"));
        assert_eq!(read(&tokens, &cookie, NOW.plus(LIFE)), None);
        assert!(!cookie.contains("a-token"));
    }

    #[test]
    fn a_session_ends_with_its_token() {
        let cookie = issue(&tokens("a-token-0123456789"), "ada.l", "id-1", NOW.plus(LIFE)).unwrap();

        assert_eq!(read(&tokens("a-new-token-0123456"), &cookie, NOW), None);
        assert_eq!(read(&TokenSet::default(), &cookie, NOW), None);
    }

    #[test]
    fn no_edited_session_is_taken() {
        let tokens = tokens("a-token-0123456789");
        let cookie = issue(&tokens, "ada.l", "id-1", NOW.plus(LIFE)).unwrap();

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
        for garbage in ["", ".", "...", "2.3.4.5.6", "\u{0}", "2.99999999999999.YWRhLmw.id-1."] {
            assert_eq!(read(&tokens, garbage, NOW), None, "{garbage}");
        }
    }
}
