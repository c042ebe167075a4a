//! `server`: where it listens and how it is reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::duration::PromDuration;

/// `server`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: String,
    /// The address under which people and Alertmanager reach this server.
    pub external_url: String,
    /// The greatest body taken, in bytes.
    #[schemars(range(min = 1024, max = 268_435_456))]
    pub max_body_bytes: usize,
    /// How long a client may take to send its headers or its body.
    pub client_timeout: PromDuration,
    /// How long to wait at a stop for requests and sends under way.
    pub shutdown_grace: PromDuration,
    /// Allow any address without tokens. Only for a network you trust entirely.
    pub allow_unauthenticated: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9095".to_owned(),
            external_url: "http://localhost:9095".to_owned(),
            max_body_bytes: 16 * 1024 * 1024,
            client_timeout: PromDuration(std::time::Duration::from_secs(30)),
            shutdown_grace: PromDuration(std::time::Duration::from_secs(20)),
            allow_unauthenticated: false,
        }
    }
}

impl ServerConfig {
    /// [`listen`](Self::listen) as an address: `localhost` is 127.0.0.1, and a port alone
    /// means every IPv4 address of the machine. `None` when it is neither.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        if let Ok(address) = self.listen.parse() {
            return Some(address);
        }
        let (host, port) = self.listen.rsplit_once(':')?;
        let host = match host {
            "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => return None,
        };
        Some(SocketAddr::new(host, port.parse().ok()?))
    }
}
