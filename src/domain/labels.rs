//! Label sets and Alertmanager's fingerprint of them.

use std::collections::BTreeMap;

/// Labels or annotations: any UTF-8 name to any text, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// The label that names the rule.
pub const ALERTNAME: &str = "alertname";

/// Alertmanager's fingerprint: 64-bit FNV-1a over, for each label sorted by name, the
/// name, 0xFF, the value, 0xFF; as sixteen hexadecimal digits
/// (`prometheus/common` `model/signature.go`).
pub fn fingerprint(labels: &Labels) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    const SEPARATOR: [u8; 1] = [0xFF];

    let hash = labels
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), &SEPARATOR, value.as_bytes(), &SEPARATOR])
        .flatten()
        .fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_alertmanagers() {
        let labels = Labels::from([("foo".to_owned(), "bar".to_owned())]);

        assert_eq!(fingerprint(&labels), "3fff2c2d7595e046");
        assert_eq!(fingerprint(&Labels::new()), "cbf29ce484222325");
    }
}
