//! A connection: how it begins, and what tonic reads and writes.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;
use x509_parser::error::X509Error;

use super::peer::Paper;
use super::room::Place;
use super::{Guest, Patience, Peer};

/// What a client of HTTP/2 says before anything else.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// With TLS or without.
type Bytes = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// A connection that speaks HTTP/2, over TLS where that is asked for. It gives its place back when
/// it is dropped.
pub struct Connection {
    /// A peer that takes nothing any more ends it: hyper would wait for it with its last words.
    bytes: Pin<Box<TimeoutWriter<Bytes>>>,
    /// What was read of it already, and tonic has yet to see.
    preface: &'static [u8],
    peer: Peer,
    /// The end of the client's certificate.
    over: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// Why a connection did not begin.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) address: SocketAddr,
    pub(super) why: Why,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    #[error("{0}")]
    Broken(#[from] io::Error),
    #[error("the client's certificate does not read: {0}")]
    Certificate(#[from] X509Error),
    #[error("it speaks no HTTP/2")]
    Language,
    #[error("it took too long")]
    Slow,
}

/// Takes a guest through TLS, where there is any, and hears whether it speaks HTTP/2.
pub(super) async fn begin(
    guest: Guest,
    tls: Option<Arc<ServerConfig>>,
    patience: Patience,
) -> Result<Connection, Refused> {
    let Guest { socket, address, place } = guest;
    let begun = timeout(patience.begin, hear(socket, tls)).await.unwrap_or(Err(Why::Slow));
    let (bytes, paper) = begun.map_err(|why| Refused { address, why })?;
    let mut bytes = TimeoutWriter::new(bytes);
    bytes.set_timeout(Some(patience.pong));
    let over = paper.as_ref().map(|paper| Box::pin(sleep(paper.left)));
    let peer = Peer { address, names: paper.map(|paper| Arc::new(paper.names)) };
    Ok(Connection { bytes: Box::pin(bytes), preface: PREFACE, peer, over, _place: place })
}

async fn hear(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
) -> Result<(Bytes, Option<Paper>), Why> {
    // Without it a lone call waits 40 ms for a delayed acknowledgement.
    socket.set_nodelay(true)?;
    let mut paper = None;
    let mut bytes = match tls {
        None => Bytes::Left(socket),
        Some(config) => {
            let stream = TlsAcceptor::from(config).accept(socket).await?;
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            paper = shown.map(Paper::read).transpose()?;
            Bytes::Right(Box::new(stream))
        }
    };
    let mut preface = [0; PREFACE.len()];
    bytes.read_exact(&mut preface).await?;
    if preface != PREFACE {
        return Err(Why::Language);
    }
    Ok((bytes, paper))
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(over) = &mut self.over
            && over.as_mut().poll(cx).is_ready()
        {
            // As if the client had hung up: all that is open ends, and it may come again with a
            // certificate that is good.
            return Poll::Ready(Ok(()));
        }
        if self.preface.is_empty() {
            return self.bytes.as_mut().poll_read(cx, buf);
        }
        let (now, later) = self.preface.split_at(self.preface.len().min(buf.remaining()));
        buf.put_slice(now);
        self.preface = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bytes.as_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }
}
