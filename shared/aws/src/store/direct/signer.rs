//! Signature Version 4 of one kind of request
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use hyper::header::HeaderValue;
use jiff::Timestamp;
use jiff::tz::Offset;
use sha2::{Digest as _, Sha256};

pub(super) const CONTENT: &str = "application/x-amz-json-1.0";
pub(super) const TARGET: (&str, &str) = ("x-amz-target", "DynamoDB_20120810.GetItem");
pub(super) const SESSION_TOKEN: &str = "x-amz-security-token";
const SERVICE: &str = "dynamodb";

/// Signs for one region.
#[derive(Debug)]
pub(super) struct Signer {
    credentials: Credentials,
    session_token: Option<HeaderValue>,
    region: String,
    /// The key of a day: it takes four hashes to make.
    key: Mutex<Option<(String, DayKey)>>,
}

/// A key that is not shown.
#[derive(Clone)]
struct DayKey([u8; 32]);

impl std::fmt::Debug for DayKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DayKey")
    }
}

/// The headers that a signature adds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) date: String,
    pub(super) authorization: String,
}

impl Signer {
    pub(super) fn new(credentials: Credentials, region: String) -> Self {
        let session_token = credentials.session_token().and_then(|token| {
            let mut token = HeaderValue::from_str(token).ok()?;
            token.set_sensitive(true);
            Some(token)
        });
        Self { credentials, session_token, region, key: Mutex::new(None) }
    }

    pub(super) fn session_token(&self) -> Option<&HeaderValue> {
        self.session_token.as_ref()
    }

    /// None where the credentials have a token that no header can hold.
    pub(super) fn sign(&self, host: &HeaderValue, body: &str, now: Timestamp) -> Option<Signed> {
        if self.credentials.session_token().is_some() && self.session_token.is_none() {
            return None;
        }
        let time = Offset::UTC.to_datetime(now);
        let (year, month, day) = (time.year(), time.month(), time.day());
        let day = format!("{year:04}{month:02}{day:02}");
        let date = format!("{day}T{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second());
        let (token, and_token) = match self.credentials.session_token() {
            Some(token) => (format!("{SESSION_TOKEN}:{token}\n"), ";x-amz-security-token"),
            None => (String::new(), ""),
        };
        let signed = format!("content-type;host;x-amz-date{and_token};x-amz-target");
        let canonical = format!(
            "POST\n/\n\ncontent-type:{CONTENT}\nhost:{}\nx-amz-date:{date}\n{token}{}:{}\n\n{signed}\n{}",
            host.to_str().ok()?,
            TARGET.0,
            TARGET.1,
            hex::encode(Sha256::digest(body)),
        );
        let scope = format!("{day}/{}/{SERVICE}/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let signature = calculate_signature(self.key(&day, now)?.0, text.as_bytes());
        let id = self.credentials.access_key_id();
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}");
        Some(Signed { date, authorization })
    }

    fn key(&self, day: &str, now: Timestamp) -> Option<DayKey> {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, key)) = kept.as_ref()
            && of == day
        {
            return Some(key.clone());
        }
        let secret = self.credentials.secret_access_key();
        let key = generate_signing_key(secret, system_time(now)?, &self.region, SERVICE);
        let key = DayKey(key.as_ref().try_into().ok()?);
        *kept = Some((day.to_owned(), key.clone()));
        Some(key)
    }
}

fn system_time(now: Timestamp) -> Option<SystemTime> {
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_second().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;

    use super::*;

    /// What the SDK's own signing gives for the same request.
    fn by_the_sdk(credentials: &Credentials, host: &str, body: &str, now: Timestamp) -> Vec<(String, String)> {
        let identity = credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name(SERVICE)
            .time(system_time(now).expect("after 1970"))
            .settings(SigningSettings::default())
            .build()
            .expect("complete");
        let uri = format!("https://{host}/");
        let headers = [("content-type", CONTENT), ("host", host), TARGET];
        let request = SignableRequest::new("POST", uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let (instructions, _) = sign(request.expect("signable"), &params.into()).expect("signed").into_parts();
        let (headers, _) = instructions.into_parts();
        headers.into_iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect()
    }

    #[test]
    fn a_signature_is_the_one_that_the_sdk_makes() {
        let body = r#"{"TableName":"t"}"#;
        for token in [None, Some("IQoJb3JpZ2luX2VjEJr//////////wEaDGV1/+=".to_owned())] {
            let credentials = Credentials::new("AKIDEXAMPLE", "secret/+key", token.clone(), None, "test");
            let signer = Signer::new(credentials.clone(), "eu-central-1".to_owned());
            // The second of a day is signed with the key that is kept, the third with the next day's.
            for now in ["2026-01-02T03:04:05Z", "2026-01-02T23:59:59.9Z", "2026-01-03T00:00:00Z"] {
                let now: Timestamp = now.parse().expect("a time");
                for host in ["dynamodb.eu-central-1.amazonaws.com", "127.0.0.1:4566"] {
                    let signed = signer.sign(&HeaderValue::from_str(host).expect("a host"), body, now);
                    let signed = signed.expect("signed");
                    let expected = by_the_sdk(&credentials, host, body, now);
                    let of = |name| expected.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
                    assert_eq!(of("authorization"), Some(signed.authorization.as_str()), "{token:?} {now} {host}");
                    assert_eq!(of("x-amz-date"), Some(signed.date.as_str()), "{token:?} {now} {host}");
                }
            }
        }
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_left_to_the_sdk() {
        let credentials = Credentials::new("id", "secret", Some("a\nb".to_owned()), None, "test");
        let signer = Signer::new(credentials, "eu-central-1".to_owned());
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(signer.sign(&HeaderValue::from_static("localhost"), "{}", now), None);
    }

    #[test]
    fn no_secret_is_shown() {
        let credentials = Credentials::new("id", "sesame", Some("open".to_owned()), None, "test");
        let signer = Signer::new(credentials, "eu-central-1".to_owned());
        signer.sign(&HeaderValue::from_static("localhost"), "{}", Timestamp::UNIX_EPOCH).expect("signed");
        let shown = format!("{signer:?}");
        assert!(!shown.contains("sesame") && !shown.contains("open"), "{shown}");
    }
}
