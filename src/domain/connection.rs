//! Why a connection failed, in plain words: what the system says is a number, and what libraries
//! put around it names their own parts.

use std::error::Error;
use std::io;

/// What an error comes from in plain words; `None` when it is no failure of a connection.
pub fn plain_words(error: &(dyn Error + 'static)) -> Option<&'static str> {
    causes(error).find_map(|cause| of_system(cause.downcast_ref::<io::Error>()?))
}

/// Plain words where there are some, else the innermost cause: the ones around it say which
/// part of a library saw it.
pub fn reason(error: &(dyn Error + 'static)) -> String {
    match plain_words(error) {
        Some(words) => words.to_owned(),
        None => root(error).to_string(),
    }
}

/// The innermost cause.
pub fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn of_system(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    // Resolvers give no kind of their own.
    let text = error.to_string();
    if text.contains("failed to lookup address") || text.contains("failed to resolve") {
        let is_passing = text.contains("Temporary failure");
        return Some(if is_passing { "host not found: no name server answers" } else { "host not found" });
    }
    match error.kind() {
        Kind::ConnectionRefused => Some("connection refused"),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            Some("the other side closed the connection")
        }
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Some("no route to the host"),
        Kind::TimedOut => Some("timed out"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn what_the_system_says_is_found_behind_what_libraries_say() {
        for (kind, words) in [
            (io::ErrorKind::ConnectionRefused, "connection refused"),
            (io::ErrorKind::ConnectionReset, "the other side closed the connection"),
            (io::ErrorKind::TimedOut, "timed out"),
        ] {
            assert_eq!(reason(&Wrapped(kind.into())), words);
        }
        let lookup = "failed to lookup address information: Name or service not known";
        assert_eq!(reason(&Wrapped(io::Error::other(lookup))), "host not found");
        assert_eq!(plain_words(&Wrapped(io::Error::other("invalid certificate"))), None);
        assert_eq!(reason(&Wrapped(io::Error::other("invalid certificate"))), "invalid certificate");
    }
}
