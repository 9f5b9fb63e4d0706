//! A client that says what it likes, byte by byte.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("a connection")
}

/// One that begins as HTTP/2 does, from this address of this machine.
pub async fn http2_from(address: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((address, 0).into()).expect("an address");
    let mut stream = socket.connect(to).await.expect("a connection");
    stream.write_all(&begin()).await.expect("written");
    stream
}

/// One that says this first.
pub async fn saying(address: SocketAddr, words: &[u8]) -> TcpStream {
    let mut stream = connect(address).await;
    stream.write_all(words).await.expect("written");
    stream
}

/// One that begins as HTTP/2 does.
pub async fn http2(address: SocketAddr) -> TcpStream {
    saying(address, &begin()).await
}

fn begin() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call, without Huffman or table.
pub fn call() -> Vec<u8> {
    let path = b"/credits.v1.CreditService/GetBalance";
    let content = b"application/grpc";
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).expect("short")];
    block.extend(path);
    // :authority, then content-type: both from the static table.
    block.extend([0x01, 1, b'a', 0x0f, 0x10, u8::try_from(content.len()).expect("short")]);
    block.extend(content);
    block
}

/// What it says until it closes, or breaks off.
pub async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let read = async {
        drop(stream.read_to_end(&mut said).await);
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, read).await.expect("it is closed");
    said
}
