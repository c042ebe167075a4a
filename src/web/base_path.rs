//! The path below which a proxy shows this server: that of `server.external_url`, such as `/pager`.
//!
//! Inside, every path is as if there were none. It is taken off what comes in, where the proxy has
//! not done so, and put before what goes out: redirects, cookies, and links of pages.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::http::uri::PathAndQuery;
use url::Url;

/// A path prefix: empty, or one that begins with a slash and does not end with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// The beginnings of attributes that hold an address of this server. Values are escaped, so no text
/// can look like one of them.
const ATTRIBUTES: [&str; 4] = [" href=\"/", " action=\"/", " formaction=\"/", " src=\"/"];

impl BasePath {
    /// The path of an address; empty for one without a path and for what is no address.
    pub fn of(external_url: &str) -> Self {
        let path = Url::parse(external_url).map(|url| url.path().trim_end_matches('/').to_owned());
        Self(path.unwrap_or_default())
    }

    /// As text: empty, or `/pager`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes it off the path of a request, where it is there.
    pub fn strip(&self, req: &mut ServiceRequest) {
        if self.0.is_empty() {
            return;
        }
        let Some(path_and_query) = req.uri().path_and_query() else { return };
        let Some(rest) = path_and_query.as_str().strip_prefix(&self.0) else { return };
        let inner = match rest.chars().next() {
            Some('/') => rest.to_owned(),
            None | Some('?') => format!("/{rest}"),
            // A longer name that only begins alike.
            Some(_) => return,
        };
        let Ok(inner) = inner.parse::<PathAndQuery>() else { return };
        let mut parts = req.uri().clone().into_parts();
        parts.path_and_query = Some(inner);
        let Ok(uri) = Uri::from_parts(parts) else { return };
        req.match_info_mut().get_mut().update(&uri);
        req.head_mut().uri = uri;
    }

    /// Puts it before the redirects and into the cookies of an answer.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        if let Some(inner) = headers.get(LOCATION).and_then(|value| value.to_str().ok())
            && inner.starts_with('/')
            && let Ok(outer) = HeaderValue::from_str(&format!("{}{inner}", self.0))
        {
            headers.insert(LOCATION, outer);
        }
        let cookies: Vec<HeaderValue> = headers.remove(SET_COOKIE).collect();
        for cookie in cookies {
            headers.append(SET_COOKIE, self.in_cookie(&cookie).unwrap_or(cookie));
        }
    }

    fn in_cookie(&self, cookie: &HeaderValue) -> Option<HeaderValue> {
        let text = cookie.to_str().ok()?;
        let parts = text.split("; ").map(|part| match part {
            "Path=/" => format!("Path={}", self.0),
            other => other.to_owned(),
        });
        HeaderValue::from_str(&parts.collect::<Vec<_>>().join("; ")).ok()
    }

    /// Puts it before the addresses of a page.
    pub fn in_html(&self, html: String) -> String {
        if self.0.is_empty() {
            return html;
        }
        ATTRIBUTES.iter().fold(html, |html, attribute| {
            let without_slash = &attribute[..attribute.len() - 1];
            html.replace(attribute, &format!("{without_slash}{}/", self.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn stripped(base: &str, uri: &str) -> String {
        let mut req = TestRequest::get().uri(uri).to_srv_request();
        BasePath::of(base).strip(&mut req);
        assert_eq!(req.match_info().as_str(), req.uri().path());
        req.uri().to_string()
    }

    #[test]
    fn the_path_of_an_address_without_its_last_slash() {
        for (url, base) in [
            ("https://x.example/pager/", "/pager"),
            ("https://x.example/a/b", "/a/b"),
            ("https://x.example", ""),
            ("https://x.example/", ""),
            ("no address", ""),
        ] {
            assert_eq!(BasePath::of(url).as_str(), base, "{url}");
        }
    }

    #[test]
    fn it_is_taken_off_where_it_is_there() {
        let base = "https://x.example/pager";
        for (uri, inner) in [
            ("/pager/incidents?a=/pager/b", "/incidents?a=/pager/b"),
            ("/pager", "/"),
            ("/pager?x=1", "/?x=1"),
            ("/pager/", "/"),
            ("/incidents", "/incidents"),
            ("/pagers", "/pagers"),
        ] {
            assert_eq!(stripped(base, uri), inner, "{uri}");
        }
        assert_eq!(stripped("https://x.example", "/pager"), "/pager");
    }

    #[test]
    fn it_is_put_before_redirects_into_cookies_and_before_links() {
        let base = BasePath::of("https://x.example/pager");
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("/login?next=%2Fincidents"));
        headers.append(SET_COOKIE, HeaderValue::from_static("a=Path=/; HttpOnly; Path=/; Max-Age=1"));
        headers.append(SET_COOKIE, HeaderValue::from_static("b=; Path=/"));

        base.apply(&mut headers);

        assert_eq!(headers.get(LOCATION).unwrap(), "/pager/login?next=%2Fincidents");
        let cookies: Vec<&HeaderValue> = headers.get_all(SET_COOKIE).collect();
        assert_eq!(cookies, ["a=Path=/; HttpOnly; Path=/pager; Max-Age=1", "b=; Path=/pager"]);
        let html = r##"<a href="/incidents">=&quot;/x</a> <a href="https://y.example/"> <input value="/here"><a href="#m">"##;
        assert_eq!(
            base.in_html(html.to_owned()),
            r##"<a href="/pager/incidents">=&quot;/x</a> <a href="https://y.example/"> <input value="/here"><a href="#m">"##
        );
    }
}
