//! [`Prefixed`]: a connection of which the first bytes were read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use secure_download_tcp::StallGuard;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// How a client that speaks HTTP/2 begins, RFC 9113 section 3.4.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The whole request in most cases.
const FIRST_READ: usize = 2 * 1024;

/// A connection that yields the bytes of `prefix` first.
#[derive(Debug)]
pub(super) struct Prefixed {
    prefix: BytesMut,
    stream: StallGuard,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl Prefixed {
    pub(super) fn new(stream: StallGuard) -> Self {
        Self { prefix: BytesMut::new(), stream }
    }

    /// Reads until the protocol shows. `None` if the client went away first.
    pub(super) async fn protocol(&mut self) -> io::Result<Option<Protocol>> {
        self.prefix.reserve(FIRST_READ);
        loop {
            if self.stream.read_buf(&mut self.prefix).await? == 0 {
                return Ok(None);
            }
            let compared = self.prefix.len().min(HTTP2.len());
            if self.prefix[..compared] != HTTP2[..compared] {
                return Ok(Some(Protocol::Http1));
            }
            if compared == HTTP2.len() {
                return Ok(Some(Protocol::Http2));
            }
        }
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix[..count]);
        self.prefix.advance(count);
        if self.prefix.is_empty() {
            self.prefix = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
