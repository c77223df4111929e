//! Reads of one item without the SDK: its interceptors, endpoint rules and copies of headers are four tenths of the
//! processor time that a poll takes in a function, and a poll is one such read.
//!
//! Only the plain answer is taken. Whatever else comes (an error, a throttle, a broken connection, an attribute that we
//! do not write) is `None`, and the SDK asks again, with its retries and its errors.

mod answer;
mod signer;

use std::time::Duration;

use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use tidegate_engine::ports::{Freshness, Key};
use tokio::sync::OnceCell;

pub(super) use self::answer::Found;
use self::signer::Signer;
use crate::clock;
use crate::http::Http;
use crate::sdk::Sdk;

/// Reads single items of one DynamoDB.
#[derive(Debug)]
pub(super) struct Direct {
    http: Http,
    endpoint: OnceCell<Option<Endpoint>>,
    signer: Signer,
    region: String,
    url: Option<String>,
    timeout: Duration,
}

/// Where requests go.
#[derive(Debug)]
struct Endpoint {
    uri: Uri,
    host: HeaderValue,
}

impl Direct {
    /// None where the SDK must find out who we are or where DynamoDB is.
    pub(super) fn new(sdk: &Sdk) -> Option<Self> {
        let region = sdk.config.region()?.to_string();
        Some(Self {
            http: sdk.http.clone(),
            endpoint: OnceCell::new(),
            signer: Signer::new(sdk.credentials.clone()?, region.clone()),
            region,
            url: sdk.config.endpoint_url().map(str::to_owned),
            // The SDK's own attempts come after it.
            timeout: sdk.attempt_timeout / 2,
        })
    }

    /// The item of a key with these attributes, in a table with this physical name.
    pub(super) async fn get(&self, table: &str, key: &Key, freshness: Freshness) -> Option<Found> {
        let endpoint = self.endpoint.get_or_init(|| self.resolve()).await.as_ref()?;
        let body = answer::question(table, key, freshness)?;
        let signed = self.signer.sign(&endpoint.host, &body, clock::now())?;
        let mut request = Request::post(endpoint.uri.clone())
            .header(HOST, &endpoint.host)
            .header(CONTENT_TYPE, signer::CONTENT)
            .header(signer::TARGET.0, signer::TARGET.1)
            .header("x-amz-date", signed.date)
            .header("authorization", signed.authorization)
            .body(SdkBody::from(body))
            .ok()?;
        if let Some(token) = self.signer.session_token() {
            request.headers_mut().insert(signer::SESSION_TOKEN, token.clone());
        }
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(Ok(Some(body))) => answer::read(&body),
            Ok(Ok(None)) | Err(_) => None,
            Ok(Err(error)) => {
                tracing::debug!(error, "a read without the SDK failed");
                None
            }
        }
    }

    /// The answer's body, where it is no error.
    async fn exchange(&self, request: Request<SdkBody>) -> Result<Option<Bytes>, String> {
        let answer = self.http.request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Ok(None);
        }
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok(Some(body.to_bytes()))
    }

    /// The endpoint by the SDK's own rules.
    async fn resolve(&self) -> Option<Endpoint> {
        let asked = Params::builder().region(&self.region).set_endpoint(self.url.clone()).build().ok()?;
        let found = DefaultResolver::new().resolve_endpoint(&asked).await.ok()?;
        let uri: Uri = found.url().parse().ok()?;
        let host = HeaderValue::from_str(uri.authority()?.as_str()).ok()?;
        Some(Endpoint { uri, host })
    }
}
