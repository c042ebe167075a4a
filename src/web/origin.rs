//! Which page, if any, made a browser send a request. Browsers say so by `Sec-Fetch-Site`, and
//! where they do not (plain HTTP by a name that is not loopback), by `Origin`. A page can forge
//! neither. Programs send none of them.

use actix_web::HttpMessage;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use url::Url;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A page of this server.
    OwnPage,
    /// A page of another site.
    OtherSite,
    /// No page at all: a program, or a person who typed the address.
    Program,
}

/// Who sent the request. A page is our own when its origin has the host and port of the request,
/// or those of `external_url`: a proxy may have replaced the `Host`.
pub fn sender_of(req: &impl HttpMessage, external_url: &str) -> Sender {
    let headers = req.headers();
    match (text(headers, &FETCH_SITE), headers.get(ORIGIN)) {
        (Some("same-origin"), _) => Sender::OwnPage,
        (Some("cross-site" | "same-site"), _) => Sender::OtherSite,
        (_, None) => Sender::Program,
        (_, Some(origin)) => {
            let is_own = origin.to_str().is_ok_and(|origin| is_own(origin, headers, external_url));
            if is_own { Sender::OwnPage } else { Sender::OtherSite }
        }
    }
}

fn is_own(origin: &str, headers: &HeaderMap, external_url: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    // The scheme is that of the page: a proxy may have ended TLS.
    let called =
        text(headers, &HOST).and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    let configured = Url::parse(external_url).ok();
    [called, configured].iter().flatten().any(|own| host_and_port(own) == host_and_port(&origin))
}

/// `None` for what has no host, such as the origin `null`.
fn host_and_port(url: &Url) -> (Option<&str>, Option<u16>) {
    (url.host_str(), url.port_or_known_default())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn sender(headers: &[(&'static str, &'static str)]) -> Sender {
        let request = headers.iter().fold(TestRequest::post(), |request, pair| request.insert_header(*pair));
        sender_of(&request.to_http_request(), "https://pager.example.org/ml")
    }

    #[test]
    fn a_page_of_this_server_is_recognised() {
        let own = [
            &[("sec-fetch-site", "same-origin"), ("host", "127.0.0.1:9095")][..],
            &[("origin", "http://10.0.0.5:9095"), ("host", "10.0.0.5:9095")],
            &[("origin", "http://Pager"), ("host", "pager:80")],
            &[("origin", "https://pager.example.org"), ("host", "127.0.0.1:9095")],
            &[("origin", "https://pager.example.org"), ("host", "pager.example.org")],
        ];
        for headers in own {
            assert_eq!(sender(headers), Sender::OwnPage, "{headers:?}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_recognised_with_and_without_fetch_metadata() {
        for (site, origin) in
            [("cross-site", "http://10.0.0.5:9095"), ("same-site", "http://10.0.0.5:9095"), ("none", "null")]
        {
            let headers = [("sec-fetch-site", site), ("origin", origin), ("host", "10.0.0.5:9095")];
            assert_eq!(sender(&headers), Sender::OtherSite, "{site}");
        }
        for origin in [
            "null",
            "",
            "garbage",
            "http://10.0.0.5:9096",
            "http://evil.example",
            "http://10.0.0.5:9095.evil.example",
            "http://10.0.0.5",
            "https://pager.example.org:8443",
            "data:text/html,x",
        ] {
            assert_eq!(
                sender(&[("origin", origin), ("host", "10.0.0.5:9095")]),
                Sender::OtherSite,
                "{origin}"
            );
        }
    }

    #[test]
    fn a_program_names_no_origin() {
        assert_eq!(sender(&[("host", "10.0.0.5:9095")]), Sender::Program);
        assert_eq!(sender(&[("sec-fetch-site", "none"), ("host", "10.0.0.5:9095")]), Sender::Program);
    }
}
