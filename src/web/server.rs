//! The listening server: workers, time limits, and the application each worker runs.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error, HttpServer, web};

use super::connections::Connections;
use super::state::AppState;
use super::{envelope, routes};

/// How long an idle connection is kept. Alertmanager keeps its own for five minutes; when it meets
/// one that was closed meanwhile, it opens another and sends the request again by itself.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection that is to be closed may take to read its answer. Not below a
/// second: the library counts from a moment that may lie half a second back, and a time
/// that is over before it began is never noticed.
const LEAVE: Duration = Duration::from_secs(2);

/// Serves HTTP on `listener` until the returned server's handle stops it. Signals are the
/// caller's business.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, state: AppState, connections: Connections) -> io::Result<Server> {
    let limits = state.live.load().config.server.clone();
    let state = web::Data::new(state);
    let server = HttpServer::new(move || app(state.clone()))
        .client_request_timeout(limits.client_timeout.0)
        .client_disconnect_timeout(LEAVE)
        .keep_alive(KEEP_ALIVE)
        .on_connect(move |stream, data| {
            if let Some(stream) = stream.downcast_ref::<TcpStream>() {
                connections.opened(stream, data);
            }
        })
        .shutdown_timeout(limits.shutdown_grace.0.as_secs())
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// The application: every route within its envelope.
pub fn app(
    state: web::Data<AppState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new().app_data(state).configure(routes::configure).wrap(from_fn(envelope::envelop))
}
