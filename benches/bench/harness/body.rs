//! Requests as Alertmanager sends them, built once and patched in place: what makes one
//! different from the next is written over fixed places, so that making a request costs
//! next to nothing.

use std::net::SocketAddr;

use modelpager::domain::clock::{Clock as _, SystemClock};

/// How many models the alerts are about.
pub const MODELS: u64 = 200;
/// How many instances of each model raise alerts, where alerts come again.
pub const INSTANCES: u64 = 100;

const FINGERPRINT: &str = "@FINGERPRINT@@@@";
const INSTANCE: &str = "@INSTNC@";
const MODEL: &str = "@M@";
const TIME: &str = "@TIME_OF_DAY";
const DAY: &str = "@DAY";

/// One alert of 1.2 KB in its body: the shape of a real one, with the differing parts
/// replaced by marks of their size.
const HEAD: &str = r#"{"receiver":"ml-context","status":"firing","alerts":["#;
const ALERT: &str = r#"{"status":"firing","labels":{"alertname":"ModelLatencyP99High","instance":"infer-@INSTNC@:8080","job":"inference","model":"model-@M@","model_version":"3.2.1","severity":"critical","team":"ml"},"annotations":{"description":"p99 = 0.41 s (\u003e 0.25 s)","runbook_url":"https://runbooks.example.net/ml/latency","summary":"p99 latency high on infer-@INSTNC@"},"startsAt":"@DAYT@TIME_OF_DAYZ","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom.example.net:9090/graph?g0.expr=histogram_quantile%280.99%2C+model_latency_bucket%29+%3E+0.25\u0026g0.tab=1","fingerprint":"@FINGERPRINT@@@@"}"#;
const TAIL: &str = r#"],"notification_reason":"first notification","groupLabels":{"alertname":"ModelLatencyP99High","model":"model-@M@"},"commonLabels":{"alertname":"ModelLatencyP99High",@COMMON_INSTANCE@"job":"inference","model":"model-@M@","model_version":"3.2.1","severity":"critical","team":"ml"},"commonAnnotations":{"description":"p99 = 0.41 s (\u003e 0.25 s)","runbook_url":"https://runbooks.example.net/ml/latency"},"routeLabels":{"owner":"ml-oncall"},"externalURL":"http://am.example.net:9093","version":"4","groupKey":"{}/{team=\"ml\"}:{alertname=\"ModelLatencyP99High\", model=\"model-@M@\"}","truncatedAlerts":0}"#;

/// Which alerts are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// No alert comes twice: with a dedup key by instance, each is its own incident.
    Unique,
    /// A fleet of [`MODELS`] × [`INSTANCES`] whose alerts come again and again.
    Fleet,
}

/// A request with places to write on.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
    body_len: usize,
    identity: Identity,
    models: Vec<usize>,
    times: Vec<usize>,
    alerts: Vec<AlertPlaces>,
}

#[derive(Clone, Debug, Default)]
struct AlertPlaces {
    instances: Vec<usize>,
    fingerprint: usize,
}

impl Request {
    /// A webhook of `alerts` alerts for the server at `target`.
    pub fn new(target: SocketAddr, identity: Identity, alerts: usize) -> Self {
        let today = SystemClock.now().to_rfc3339();
        let day = today.split('T').next().unwrap_or("2026-01-01").to_owned();
        let common = if alerts == 1 { r#""instance":"infer-@INSTNC@:8080","# } else { "" };
        let all = vec![ALERT; alerts].join(",");
        let body = format!("{HEAD}{all}{}", TAIL.replace("@COMMON_INSTANCE@", common)).replace(DAY, &day);
        let head = format!(
            "POST /webhooks/alertmanager HTTP/1.1\r\nHost: {target}\r\nUser-Agent: Alertmanager/0.33.0\r\n\
             Content-Length: {}\r\nContent-Type: application/json\r\n\r\n",
            body.len()
        );
        Self::with_places(&format!("{head}{body}"), body.len(), identity)
    }

    fn with_places(text: &str, body_len: usize, identity: Identity) -> Self {
        let places = |mark: &str| text.match_indices(mark).map(|(at, _)| at).collect::<Vec<_>>();
        let fingerprints = places(FINGERPRINT);
        let mut alerts: Vec<AlertPlaces> = fingerprints
            .iter()
            .map(|&fingerprint| AlertPlaces { instances: Vec::new(), fingerprint })
            .collect();
        for place in places(INSTANCE) {
            // What follows the last alert belongs to it: labels common to all, when it is alone.
            let of = alerts.iter().position(|alert| place < alert.fingerprint).unwrap_or(alerts.len() - 1);
            alerts[of].instances.push(place);
        }
        Self {
            bytes: text.as_bytes().to_vec(),
            body_len,
            identity,
            models: places(MODEL),
            times: places(TIME),
            alerts,
        }
    }

    /// How many alerts it carries.
    pub fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// The size of its body in bytes.
    pub fn body_len(&self) -> usize {
        self.body_len
    }

    /// Makes it the request of this number; the bytes are ready to send.
    pub fn number(&mut self, number: u64) -> &[u8] {
        let model = number % MODELS;
        for &place in &self.models {
            write_decimal(&mut self.bytes[place..place + MODEL.len()], model);
        }
        // Another start makes another state: no request is another's twin.
        let time = time_of_day(number);
        for &place in &self.times {
            self.bytes[place..place + TIME.len()].copy_from_slice(&time);
        }
        for at in 0..self.alerts.len() {
            let sequence = number * self.alerts.len() as u64 + at as u64;
            let (instance, fingerprint) = match self.identity {
                Identity::Unique => (sequence, sequence),
                Identity::Fleet => {
                    let instance = (number / MODELS * self.alerts.len() as u64 + at as u64) % INSTANCES;
                    (instance, model * INSTANCES + instance)
                }
            };
            let Self { bytes, alerts, .. } = self;
            for &place in &alerts[at].instances {
                write_decimal(&mut bytes[place..place + INSTANCE.len()], instance);
            }
            let place = alerts[at].fingerprint;
            write_hex(&mut bytes[place..place + FINGERPRINT.len()], fingerprint);
        }
        &self.bytes
    }
}

/// `HH:MM:SS.mmm`, one millisecond later with every number, within yesterday's or today's day.
fn time_of_day(number: u64) -> [u8; 12] {
    let mut text = *b"00:00:00.000";
    write_decimal(&mut text[9..12], number % 1_000);
    write_decimal(&mut text[6..8], number / 1_000 % 60);
    write_decimal(&mut text[3..5], number / 60_000 % 60);
    write_decimal(&mut text[0..2], number / 3_600_000 % 24);
    text
}

fn write_decimal(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn write_hex(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % 16) as usize];
        number /= 16;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn parsed(request: &mut Request, number: u64) -> serde_json::Value {
        let body_len = request.body_len();
        let bytes = request.number(number);
        serde_json::from_slice(&bytes[bytes.len() - body_len..]).unwrap()
    }

    fn request(identity: Identity, alerts: usize) -> Request {
        Request::new("127.0.0.1:9095".parse().unwrap(), identity, alerts)
    }

    #[test]
    fn a_body_with_one_alert_has_the_size_of_a_real_one() {
        assert!((1_150..1_300).contains(&request(Identity::Unique, 1).body_len()));
    }

    #[test]
    fn every_alert_of_every_request_is_another_one() {
        let mut request = request(Identity::Unique, 3);
        let mut fingerprints = HashSet::new();

        for number in 0..300 {
            let body = parsed(&mut request, number);
            for alert in body["alerts"].as_array().unwrap() {
                assert_eq!(alert["labels"]["model"], body["groupLabels"]["model"]);
                fingerprints.insert(alert["fingerprint"].as_str().unwrap().to_owned());
            }
        }

        assert_eq!(fingerprints.len(), 900);
    }

    #[test]
    fn a_fleet_has_as_many_alerts_as_it_has_instances() {
        let mut request = request(Identity::Fleet, 50);
        let mut seen = HashSet::new();

        for number in 0..MODELS * INSTANCES / 50 * 2 {
            for alert in parsed(&mut request, number)["alerts"].as_array().unwrap() {
                seen.insert(alert["fingerprint"].as_str().unwrap().to_owned());
            }
        }

        assert_eq!(seen.len() as u64, MODELS * INSTANCES);
    }

    #[test]
    fn the_next_request_begins_a_millisecond_later() {
        assert_eq!(&time_of_day(0), b"00:00:00.000");
        assert_eq!(&time_of_day(3_723_004), b"01:02:03.004");
        assert_eq!(&time_of_day(24 * 3_600_000), b"00:00:00.000");
    }
}
