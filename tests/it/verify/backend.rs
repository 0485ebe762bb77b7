//! A backend with one thing wrong with it.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It answers after 3 s.
    Slow,
    /// It answers with a page.
    Page,
    /// It answers 500.
    Fails,
    /// It knows messages, and no disconnects.
    NoDisconnects,
    /// It takes no large bodies.
    Small,
}

/// The backend, until it is dropped.
pub(super) struct Backend {
    pub(super) url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Backend {
    pub(super) fn start(fault: Fault) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let router = Router::new().fallback(move |uri: Uri, body: Bytes| answer(fault, uri, body));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, _runtime: runtime }
    }
}

async fn answer(fault: Fault, uri: Uri, body: Bytes) -> Response {
    let json = || ([("content-type", "application/json")], r#"{"type":"pong"}"#).into_response();
    match fault {
        Fault::Slow => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            json()
        }
        Fault::Page => "<html>Welcome</html>".into_response(),
        Fault::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::NoDisconnects if uri.path().ends_with("/disconnect") => StatusCode::NOT_FOUND.into_response(),
        Fault::Small if body.len() > 16 * 1024 => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Fault::NoDisconnects | Fault::Small => json(),
    }
}
