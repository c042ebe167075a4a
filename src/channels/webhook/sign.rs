//! Standard Webhooks signatures, symmetric (`v1`): HMAC-SHA256 over `id.timestamp.body`
//! with the bytes of a `whsec_` secret
//! (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::domain::secret::Secret;

const PREFIX: &str = "whsec_";
/// The sizes the specification allows, in bytes.
const SIZES: std::ops::RangeInclusive<usize> = 24..=64;

/// People copy secrets with and without the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One signing secret.
pub struct SigningKey(SecretSlice<u8>);

/// A text that is not a signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ followed by 24 to 64 bytes in base64 (try: echo whsec_$(openssl rand -base64 32))")]
pub struct InvalidKey;

impl SigningKey {
    /// Reads `whsec_` + base64.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(secret: &Secret) -> Result<Self, InvalidKey> {
        let encoded = secret.expose().trim().strip_prefix(PREFIX).ok_or(InvalidKey)?;
        let bytes = LENIENT.decode(encoded).map_err(|_| InvalidKey)?;
        if !SIZES.contains(&bytes.len()) {
            return Err(InvalidKey);
        }
        Ok(Self(SecretSlice::from(bytes)))
    }

    /// One element of the `webhook-signature` header. `id` holds no point.
    pub fn sign(&self, id: &str, unix_seconds: i64, body: &[u8]) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("any key length");
        mac.update(format!("{id}.{unix_seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn the_signature_is_that_of_the_specifications_own_vector() {
        let key = SigningKey::parse(&Secret::new(SECRET)).unwrap();

        let signature = key.sign(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
        );

        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn an_independent_implementation_signs_alike() {
        let key = SigningKey::parse(&Secret::new(SECRET)).unwrap();
        let theirs = standardwebhooks::Webhook::new(SECRET).unwrap();

        for body in ["", "{}", r#"{"text":"Ü 🚨 \u0000"}"#] {
            let expected = theirs.sign("0190c7f2", 1_787_220_003, body.as_bytes()).unwrap();
            assert_eq!(key.sign("0190c7f2", 1_787_220_003, body.as_bytes()), expected);
        }
    }

    #[test]
    fn secrets_of_another_form_or_size_are_refused() {
        let of_size = |size: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; size]));

        for text in
            ["", "whsec_", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_not base64", &of_size(23), &of_size(65)]
        {
            assert_eq!(SigningKey::parse(&Secret::new(text)).err(), Some(InvalidKey), "{text:?}");
        }
        for text in [of_size(24), of_size(64), of_size(25).trim_end_matches('=').to_owned()] {
            assert!(SigningKey::parse(&Secret::new(&text)).is_ok(), "{text:?}");
        }
    }
}
