//! A JSON body that may be left out.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::{Error, FromRequest, HttpRequest, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

/// The body, or the default where the request has none. What is there must be JSON of that shape.
#[derive(Debug)]
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !has_body(request) {
            return async { Ok(Self(T::default())) }.boxed_local();
        }
        let json = web::Json::<T>::from_request(request, payload);
        async { Ok(Self(json.await?.into_inner())) }.boxed_local()
    }
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    !is_empty || headers.contains_key(TRANSFER_ENCODING)
}
