//! The listening socket, and connections that can be broken on purpose.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// So long (real time) a client may take for the head of a request, and may stay without asking for anything.
pub(crate) const HEAD: Duration = Duration::from_secs(60);

/// Accepts connections until it is dropped. `answer` gets each request, with who sent it; a head that takes longer than `head` ends its
/// connection.
pub(crate) async fn serve<A, F>(listener: TcpListener, head: Duration, answer: A)
where
    A: Fn(Request, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send,
{
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of file descriptors, or a client that went away: the next attempt may succeed.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and waited for; without this each may wait for an acknowledgement first.
        let _ = stream.set_nodelay(true);
        let (answer, cut) = (answer.clone(), Cut::default());
        let peer = Peer { address, cut: cut.clone() };
        tokio::spawn(async move {
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let answered = answer(request.map(Body::new), peer.clone());
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(head);
            // What is no HTTP has been answered by hyper itself, where that was possible.
            let _ = server.serve_connection(TokioIo::new(Wire { stream, cut }), service).with_upgrades().await;
        });
    }
}

/// A connection that a fault may break.
pub(crate) struct Wire {
    stream: TcpStream,
    cut: Cut,
}

/// Breaks one connection: nothing more is written, and the client gets a reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// Whether it is broken.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Breaks it before the next byte is written.
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub address: SocketAddr,
    pub cut: Cut,
}

impl Wire {
    fn broken(&self) -> Option<io::Error> {
        self.cut.0.load(Ordering::Acquire).then(|| {
            let _ = self.stream.set_zero_linger();
            io::Error::from(io::ErrorKind::ConnectionReset)
        })
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::response::Response;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::serve;

    #[tokio::test]
    async fn whoever_is_slow_or_silent_is_sent_away() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Duration::from_millis(200), |_, _| async { Response::new(Body::from("here")) }));
        let request = "GET / HTTP/1.1\r\nHost: x\r\n";
        for (what, begun, answered) in
            [("nothing at all", "", false), ("half a head", request, false), ("one request, then silence", &format!("{request}\r\n"), true)]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let mut heard = String::new();
            timeout(Duration::from_secs(5), stream.read_to_string(&mut heard)).await.expect(what).unwrap();
            assert_eq!(heard.ends_with("here"), answered, "{what}: {heard}");
        }
    }
}
