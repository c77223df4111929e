//! The SDKs' HTTP client.
//!
//! Its own hundred lines and not `aws-smithy-http-client`: that one parses the system's certificates for every client,
//! brings proxies and HTTP/2 (which none of our services speaks), and so takes a third of a start and a tenth of a
//! function. What hyper does, it does here and there alike.

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector as Tcp, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::tls;

/// The client that all calls of a process to AWS share, with its connections.
pub(crate) type Http = Client<HttpsConnector<Tcp>, SdkBody>;

/// A client that gives up connecting after this long.
pub(crate) fn client(connect_timeout: Duration) -> Http {
    let mut tcp = Tcp::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.enforce_http(false);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls::config()).https_or_http().enable_http1();
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https.wrap_connector(tcp))
}

/// The client as the SDKs take it.
pub(crate) fn for_sdks(client: Http) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(client));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(Http);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let captured = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || connection(&captured));
        }
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = answer.await.map_err(classified)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection that a request went out on: the SDKs' retries give a broken one up.
fn connection(captured: &CaptureConnection) -> Option<ConnectionMetadata> {
    let proxied = captured.connection_metadata().as_ref()?.is_proxied();
    let captured = captured.clone();
    let poison = move || {
        if let Some(connection) = captured.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(proxied).poison_fn(poison).build())
}

/// What kind of failure it is: that decides whether the SDKs try again.
fn classified(error: ClientError) -> ConnectorError {
    let connecting = error.is_connect();
    let error: BoxError = error.into();
    let of_the_system = source::<std::io::Error>(error.as_ref());
    if of_the_system.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
        return ConnectorError::timeout(error);
    }
    let broken = connecting || of_the_system.is_some();
    match source::<hyper::Error>(error.as_ref()) {
        Some(hyper) if hyper.is_timeout() => ConnectorError::timeout(error),
        Some(hyper) if hyper.is_user() => ConnectorError::user(error),
        // The service closed an idle connection just when a request went out on it.
        Some(hyper) if hyper.is_incomplete_message() => ConnectorError::other(error, Some(ErrorKind::TransientError)),
        Some(hyper) if hyper.is_closed() || hyper.is_canceled() || broken => ConnectorError::io(error),
        None if broken => ConnectorError::io(error),
        Some(_) | None => ConnectorError::other(error, None),
    }
}

fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref::<E>())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// What a request to an address comes to.
    async fn failure(url: &str) -> ConnectorError {
        let connector = Connector(client(Duration::from_millis(200)));
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_uri(url.to_owned()).expect("an address");
        connector.call(request).await.expect_err("nobody answers there")
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_io_error_and_so_tried_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        assert!(failure(&format!("http://{address}/")).await.is_io());
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_transient() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("a connection");
            socket.readable().await.expect("the request");
            let mut request = [0; 1024];
            let _ = socket.try_read(&mut request);
        });
        let error = failure(&format!("http://{address}/")).await;
        server.await.expect("the server ends");
        assert!(error.is_io() || error.as_other() == Some(ErrorKind::TransientError), "{error:?}");
    }

    #[tokio::test]
    async fn no_plain_server_passes_for_one_with_tls() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("a connection");
            socket.readable().await.expect("the greeting");
            let _ = socket.try_write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        });
        let began = Instant::now();
        assert!(failure(&format!("https://{address}/")).await.is_io());
        assert!(began.elapsed() < Duration::from_secs(5));
        server.await.expect("the server ends");
    }
}
