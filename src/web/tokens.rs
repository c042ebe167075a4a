//! The tokens: who shows one, as bearer or by basic authentication, and what it allows.
//!
//! Promises: tokens are compared by their SHA-256 digests in constant time and all of
//! them every time, so that neither a token nor its length nor its place in the list can
//! be timed; an unknown user and a wrong secret look the same. Without any token in the
//! configuration everyone may do everything; the configuration allows that only on
//! loopback or by express wish.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::{Kind, Problem};
use crate::config::{AuthConfig, Scope};

/// The name under which acts are recorded when no token is asked for.
pub const ANONYMOUS: &str = "anonymous";

/// Everyone who may come in, by digest.
#[derive(Debug, Default)]
pub struct TokenSet(Vec<Token>);

#[derive(Debug)]
struct Token {
    name: String,
    name_digest: [u8; 32],
    secret_digest: [u8; 32],
    scopes: Vec<Scope>,
}

/// What a request showed.
enum Credentials {
    /// `Authorization: Bearer …`, or any other word before the token.
    Token([u8; 32]),
    /// `Authorization: Basic …`
    UserAndPassword { user: [u8; 32], password: [u8; 32] },
}

impl TokenSet {
    /// The tokens of a configuration.
    pub fn new(config: &AuthConfig) -> Self {
        let tokens = config.tokens.iter().map(|token| Token {
            name: token.name.clone(),
            name_digest: digest(token.name.as_bytes()),
            secret_digest: digest(token.token.expose().as_bytes()),
            scopes: token.scopes.clone(),
        });
        Self(tokens.collect())
    }

    /// Finds out who shows this `Authorization` header and whether they may do something
    /// for which one of `needed` is enough.
    ///
    /// # Errors
    /// 401 when nobody known shows it, 403 when their token has none of the scopes.
    pub fn authorize(&self, header: Option<&[u8]>, needed: &[Scope]) -> Result<Actor, Problem> {
        if self.is_open() {
            return Ok(Actor::anonymous());
        }
        let token = header.and_then(Credentials::parse).and_then(|shown| self.find(&shown));
        let Some(token) = token else {
            return Err(Problem::new(
                Kind::Unauthorized,
                "send a token of this server as a bearer token, or as the password of basic authentication with the token's name as the user",
            ));
        };
        token.actor().allowed(needed)
    }

    /// Whether no token is asked for.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Who holds the token of that name.
    pub fn named(&self, name: &str) -> Option<Actor> {
        self.0.iter().find(|token| token.name == name).map(Token::actor)
    }

    /// A proof over `message` (HMAC-SHA256) that only a server with the token of that name in
    /// its configuration can make: every replica can, and none any more once the token changed.
    pub fn seal(&self, name: &str, message: &[u8]) -> Option<[u8; 32]> {
        let token = self.0.iter().find(|token| token.name == name)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&token.secret_digest).ok()?;
        mac.update(message);
        Some(mac.finalize().into_bytes().into())
    }

    /// Looks at every token, whether or not one was found.
    fn find(&self, shown: &Credentials) -> Option<&Token> {
        let mut found = None;
        for token in &self.0 {
            let same = match shown {
                Credentials::Token(secret) => token.secret_digest.ct_eq(secret),
                Credentials::UserAndPassword { user, password } => {
                    token.name_digest.ct_eq(user) & token.secret_digest.ct_eq(password)
                }
            };
            if same.into() {
                found = Some(token);
            }
        }
        found
    }
}

impl Token {
    fn actor(&self) -> Actor {
        Actor { name: self.name.clone(), scopes: self.scopes.clone() }
    }
}

impl Credentials {
    fn parse(header: &[u8]) -> Option<Self> {
        let header = std::str::from_utf8(header).ok()?.trim();
        let (scheme, rest) = header.split_once(' ')?;
        let rest = rest.trim();
        if !scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Token(digest(rest.as_bytes())));
        }
        let decoded = BASE64_STANDARD.decode(rest).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(Self::UserAndPassword {
            user: digest(&decoded[..colon]),
            password: digest(&decoded[colon + 1..]),
        })
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

const fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "ingest",
        Scope::Read => "read",
        Scope::Write => "write",
        Scope::Admin => "admin",
    }
}

/// Who asks: stands in the audit log and in incidents' timelines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The token's name, or [`ANONYMOUS`].
    pub name: String,
    scopes: Vec<Scope>,
}

impl Actor {
    /// Who comes where no token is asked for: may do everything.
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.to_owned(), scopes: vec![Scope::Admin] }
    }

    /// Whether they may do what needs `scope`.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| match held {
            Scope::Admin => true,
            Scope::Write => matches!(scope, Scope::Write | Scope::Read),
            Scope::Read | Scope::Ingest => *held == scope,
        })
    }

    /// Themselves, if they may do something for which one of `needed` is enough.
    ///
    /// # Errors
    /// 403 when they hold none of the scopes.
    pub fn allowed(self, needed: &[Scope]) -> Result<Self, Problem> {
        if needed.iter().any(|scope| self.may(*scope)) {
            return Ok(self);
        }
        let words: Vec<_> = needed.iter().copied().map(word).collect();
        let detail = format!("the token {:?} lacks the scope {}", self.name, words.join(" or "));
        Err(Problem::new(Kind::Forbidden, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenConfig;
    use crate::domain::secret::Secret;

    fn tokens() -> TokenSet {
        let token = |name: &str, secret: &str, scopes: &[Scope]| TokenConfig {
            name: name.to_owned(),
            token: Secret::new(secret),
            scopes: scopes.to_vec(),
        };
        TokenSet::new(&AuthConfig {
            tokens: vec![
                token("alertmanager", "ingest-token-0123", &[Scope::Ingest]),
                token("dashboard", "read-token-0123456", &[Scope::Read]),
                token("ci", "write-token-012345", &[Scope::Write]),
                token("operator", "admin:token-012345", &[Scope::Admin]),
            ],
        })
    }

    fn basic(user: &str, password: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
    }

    fn kind_of(header: Option<&str>, needed: Scope) -> Result<String, Kind> {
        tokens()
            .authorize(header.map(str::as_bytes), &[needed])
            .map(|actor| actor.name)
            .map_err(|problem| problem.kind())
    }

    #[test]
    fn a_token_comes_as_bearer_as_password_or_behind_any_word() {
        for header in [
            "Bearer ingest-token-0123".to_owned(),
            "bearer   ingest-token-0123 ".to_owned(),
            "Splunk ingest-token-0123".to_owned(),
            basic("alertmanager", "ingest-token-0123"),
        ] {
            assert_eq!(kind_of(Some(&header), Scope::Ingest).as_deref(), Ok("alertmanager"), "{header}");
        }
        let with_colon = basic("operator", "admin:token-012345");
        assert_eq!(kind_of(Some(&with_colon), Scope::Admin).as_deref(), Ok("operator"));
    }

    #[test]
    fn anything_else_is_unauthorized() {
        for header in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("ingest-token-0123"),
            Some("Bearer ingest-token-012"),
            Some("Bearer ingest-token-01234"),
            Some("Basic ingest-token-0123"),
            Some("Basic %%%"),
            Some(basic("dashboard", "ingest-token-0123").as_str()),
            Some(basic("nobody", "ingest-token-0123").as_str()),
            Some(basic("alertmanager", "wrong").as_str()),
            Some(basic("", "").as_str()),
        ] {
            assert_eq!(kind_of(header, Scope::Ingest), Err(Kind::Unauthorized), "{header:?}");
        }
        assert!(tokens().authorize(Some(b"Bearer \xFF\xFE"), &[Scope::Ingest]).is_err());
    }

    #[test]
    fn an_unknown_user_and_a_wrong_secret_look_the_same() {
        let refusal = |header: String| {
            let problem = tokens().authorize(Some(header.as_bytes()), &[Scope::Read]).unwrap_err();
            format!("{problem}")
        };

        assert_eq!(refusal(basic("nobody", "x")), refusal(basic("dashboard", "x")));
    }

    #[test]
    fn scopes_include_each_other_as_documented() {
        let allowed = |secret: &str| {
            let header = format!("Bearer {secret}");
            [Scope::Ingest, Scope::Read, Scope::Write, Scope::Admin]
                .map(|scope| kind_of(Some(&header), scope).is_ok())
        };

        assert_eq!(allowed("ingest-token-0123"), [true, false, false, false]);
        assert_eq!(allowed("read-token-0123456"), [false, true, false, false]);
        assert_eq!(allowed("write-token-012345"), [false, true, true, false]);
        assert_eq!(allowed("admin:token-012345"), [true, true, true, true]);
        assert_eq!(kind_of(Some("Bearer read-token-0123456"), Scope::Write), Err(Kind::Forbidden));
    }

    #[test]
    fn without_tokens_everyone_is_anonymous() {
        let actor = TokenSet::default().authorize(None, &[Scope::Admin]).unwrap();

        assert_eq!(actor.name, ANONYMOUS);
    }
}
