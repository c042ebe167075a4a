//! A path of the HTTP surface: its methods, what is answered to any other, and whether
//! answers are compressed.

use actix_web::guard::{self, Guard};
use actix_web::http::Method;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::FormConfig;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};

use super::problem::Problem;
use super::text::refuse_nul;
use super::ui::shared::shared;

/// A path and what can be done with it.
pub struct Path {
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the API's description"))]
    pub(super) pattern: &'static str,
    pub(super) methods: Vec<Method>,
    resource: Resource,
    hint: &'static str,
    compressed: bool,
    shared: bool,
    takes_any_address: bool,
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the API's description"))]
    pub(super) described: bool,
}

/// The greatest form of a [`Path::small_form`], in bytes.
const SMALL_FORM: usize = 8 * 1024;

/// How forms of up to `limit` bytes are read.
pub fn form_config(limit: usize) -> FormConfig {
    FormConfig::default().limit(limit).error_handler(|error, _| Problem::from(&error).into())
}

/// A path that has no methods yet.
pub fn path(pattern: &'static str) -> Path {
    let resource = web::resource(pattern);
    Path {
        pattern,
        methods: Vec::new(),
        resource,
        hint: "",
        compressed: false,
        shared: false,
        takes_any_address: false,
        described: true,
    }
}

impl Path {
    /// Answers `GET` and `HEAD`.
    pub fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::GET, guard::Any(guard::Get()).or(guard::Head()), handler)
    }

    /// Answers `POST`.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::POST, guard::Post(), handler)
    }

    /// Answers `PUT`.
    pub fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PUT, guard::Put(), handler)
    }

    /// Answers `PUT` as `POST` is answered, for senders that know no other; not in the API's
    /// description.
    pub fn put_as_post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self { resource: self.resource.route(web::route().guard(guard::Put()).to(handler)), ..self }
    }

    /// Answers `PATCH`.
    pub fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PATCH, guard::Patch(), handler)
    }

    /// Answers `DELETE`.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::DELETE, guard::Delete(), handler)
    }

    fn method<F, Args>(mut self, method: Method, guard: impl Guard + 'static, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.methods.push(method);
        Self { resource: self.resource.route(web::route().guard(guard).to(handler)), ..self }
    }

    /// What to say to who comes with another method.
    pub fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// Answers are compressed for clients that can read it.
    pub fn compressed(self) -> Self {
        Self { compressed: true, ..self }
    }

    /// Its forms are small: what anybody may send is not read further than that.
    pub fn small_form(self) -> Self {
        Self { resource: self.resource.app_data(form_config(SMALL_FORM)), ..self }
    }

    /// No address is refused for what it holds: an alert is worth more.
    pub fn any_address(self) -> Self {
        Self { takes_any_address: true, ..self }
    }

    /// A page that people look at.
    pub fn page(self) -> Self {
        Self { shared: true, ..self.compressed().undescribed() }
    }

    /// A second form of a path, or a part of a page: not in the API's description.
    pub fn undescribed(self) -> Self {
        Self { described: false, ..self }
    }

    /// The value of `Allow`.
    fn allow(&self) -> String {
        let mut words: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        if words.contains(&"GET") {
            words.push("HEAD");
        }
        words.join(", ")
    }

    /// Makes it part of an application.
    pub fn register(self, config: &mut ServiceConfig) {
        let allow = self.allow();
        let detail = if self.hint.is_empty() { format!("use {allow}") } else { self.hint.to_owned() };
        let resource = self.resource.default_service(web::to(move || {
            let problem = Problem::method_not_allowed(allow.clone(), detail.clone());
            async move { Err::<HttpResponse, _>(problem) }
        }));
        if self.shared {
            config
                .service(resource.wrap(Compress::default()).wrap(from_fn(shared)).wrap(from_fn(refuse_nul)));
        } else if self.compressed {
            config.service(resource.wrap(Compress::default()).wrap(from_fn(refuse_nul)));
        } else if self.takes_any_address {
            config.service(resource);
        } else {
            config.service(resource.wrap(from_fn(refuse_nul)));
        }
    }
}
