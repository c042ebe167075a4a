//! Whether a form was sent from a page of this server.

use actix_web::HttpRequest;
use actix_web::http::Uri;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the browser says that a page of this very origin sent this. Browsers say so by
/// `Sec-Fetch-Site`, and where they do not (plain HTTP by a name or address), by `Origin`; what
/// comes without either is no form of ours. Pages of others can forge neither.
pub fn is_own(req: &HttpRequest) -> bool {
    let header = |name: &HeaderName| text(req.headers(), name);
    match (header(&FETCH_SITE), header(&ORIGIN), header(&HOST)) {
        (Some(site), _, _) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            let uri: Option<Uri> = origin.parse().ok();
            uri.as_ref().and_then(Uri::authority).is_some_and(|own| own.as_str().eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn own(headers: &[(&'static str, &'static str)]) -> bool {
        let request = headers.iter().fold(TestRequest::post(), |request, pair| request.insert_header(*pair));
        is_own(&request.to_http_request())
    }

    #[test]
    fn only_a_page_of_this_origin_is_our_own() {
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("origin", "http://10.0.0.5:9095"), ("host", "10.0.0.5:9095")]));
        for (site, origin) in [
            ("cross-site", "http://10.0.0.5:9095"),
            ("same-site", "http://10.0.0.5:9095"),
            ("none", "http://10.0.0.5:9095"),
        ] {
            assert!(!own(&[("sec-fetch-site", site), ("origin", origin), ("host", "10.0.0.5:9095")]));
        }
        for origin in
            ["null", "http://10.0.0.5:9096", "http://evil.example", "http://10.0.0.5:9095.evil.example"]
        {
            assert!(!own(&[("origin", origin), ("host", "10.0.0.5:9095")]), "{origin}");
        }
        assert!(!own(&[("host", "10.0.0.5:9095")]));
    }
}
