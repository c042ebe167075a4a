//! Text that no database stores: a NUL character in a path, a query or a form is refused here,
//! before a handler sees it. The catalog does the same for the documents it reads
//! ([`crate::catalog::document`]).

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpRequest, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::catalog::NUL_MESSAGE;
use crate::catalog::faults::FieldError;

/// Refuses requests with a NUL character in a part of the path or in the query.
///
/// # Errors
/// Those of the handler.
pub async fn refuse_nul(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(req.query_string().as_bytes()).into_owned().collect();
    let path = req.match_info().iter();
    let wrong = wrong_fields(path.chain(query.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    if !wrong.is_empty() {
        return Ok(req.error_response(Problem::validation(wrong)));
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// One error for each name whose value, or which itself, holds a NUL character.
fn wrong_fields<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<FieldError> {
    pairs
        .filter(|(name, value)| name.contains('\0') || value.contains('\0'))
        .map(|(name, _)| FieldError::new(name.replace('\0', "\\0"), NUL_MESSAGE))
        .collect()
}

/// The fields of a form, none of which holds a NUL character.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let pairs = web::Form::<Vec<(String, String)>>::from_request(req, payload);
        async move { Ok(Self(read_form(&pairs.await?)?)) }.boxed_local()
    }
}

fn read_form<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Problem> {
    let wrong = wrong_fields(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if !wrong.is_empty() {
        return Err(Problem::validation(wrong));
    }
    // Forms and queries are written the same way, and the library reads a query from a text.
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let form = web::Query::from_query(&text).map(web::Query::into_inner);
    form.map_err(|error| Problem::bad_request(format!("the form cannot be read: {error}")))
}
