//! The bare limit of accepting: actix and a group-commit writer that stores the same body,
//! nothing parsed; on demand each stored body is forwarded at once.

use std::net::SocketAddr;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::deliver::HttpClient;
use super::writer::{self, Order};

/// How many bodies may wait for the writer.
const QUEUE: usize = 4_096;

#[derive(Clone)]
struct State {
    orders: mpsc::Sender<Order>,
    forward: Option<mpsc::Sender<(Uuid, Bytes)>>,
}

/// Serves until it is killed.
///
/// # Errors
/// When the database or the address cannot be had.
pub async fn serve(address: SocketAddr, url: &str, forward_to: Option<&str>) -> anyhow::Result<()> {
    let database = writer::open(url).await?;
    let (orders, ordered) = mpsc::channel(QUEUE);
    let forward = forward_to.map(|url| start_forwarding(url.to_owned()));
    let state = State { orders, forward };
    let writer = tokio::spawn(writer::run(database, ordered));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(state.clone()))
            .app_data(web::PayloadConfig::new(1 << 24))
            .default_service(web::to(accept))
    })
    .bind(address)?
    .disable_signals()
    .run();
    tokio::select! {
        served = server => served?,
        written = writer => written??,
    }
    Ok(())
}

async fn accept(body: Bytes, state: Data<State>) -> HttpResponse {
    if body.is_empty() {
        return HttpResponse::NotFound().finish();
    }
    let (stored, is_stored) = oneshot::channel();
    let order = Order { body: body.clone(), stored };
    if state.orders.send(order).await.is_err() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let Ok(id) = is_stored.await else { return HttpResponse::ServiceUnavailable().finish() };
    if let Some(forward) = &state.forward {
        let _ = forward.send((id, body)).await;
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(format!("{{\"id\":\"{id}\",\"status\":\"accepted\"}}"))
}

/// Sends what was stored on, many at a time.
fn start_forwarding(url: String) -> mpsc::Sender<(Uuid, Bytes)> {
    let (forward, mut forwarded) = mpsc::channel::<(Uuid, Bytes)>(QUEUE);
    tokio::spawn(async move {
        let Ok(client) = HttpClient::new(&url) else { return };
        while let Some((id, body)) = forwarded.recv().await {
            let client = client.clone();
            tokio::spawn(async move {
                if let Err(error) = client.post(&id.to_string(), body).await {
                    eprintln!("the bare server could not forward: {error}");
                }
            });
        }
    });
    forward
}
