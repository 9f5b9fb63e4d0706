//! A TCP proxy that loses answers: a connection over which the server answers is cut instead, with
//! some probability, so that whoever asked never learns what came of it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Client, Database};

/// Bytes of an HTTP/2 frame's header: three of length, one of type, one of flags, four of stream.
const FRAME_HEADER: usize = 9;
/// The type of the frame that an answer begins with.
const HEADERS: u8 = 1;
/// The type of the frames that hold its messages.
const DATA: u8 = 0;

pub struct Proxy {
    pub address: SocketAddr,
    cuts: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
    silent: CancellationToken,
    forgotten: Arc<Mutex<CancellationToken>>,
}

/// What to lose, and how much of it.
#[derive(Clone, Copy)]
struct Loss {
    is_answer: fn(&[u8]) -> bool,
    part: f64,
}

impl Proxy {
    /// A proxy to a gRPC server that cuts the connection in place of this part of its answers.
    pub async fn start(server: SocketAddr, part: f64, seed: u64) -> Self {
        Self::with(server, Loss { is_answer: has_answer, part }, seed).await
    }

    /// The same in place of this part of the messages of a stream, too.
    pub async fn losing_messages(server: SocketAddr, part: f64, seed: u64) -> Self {
        Self::with(server, Loss { is_answer: has_message, part }, seed).await
    }

    /// A proxy to a PostgreSQL server that cuts the connection in place of this part of its words
    /// that a transaction is committed.
    pub async fn losing_commits(server: SocketAddr, part: f64, seed: u64) -> Self {
        Self::with(server, Loss { is_answer: has_commit, part }, seed).await
    }

    /// The database's URL through such a proxy.
    pub async fn of_database(database: &Database, lost: f64) -> (String, Self) {
        let (head, rest) = database.url.rsplit_once('@').expect("a host");
        let (host, name) = rest.split_once('/').expect("a database");
        let proxy = Self::losing_commits(host.parse().expect("an address"), lost, 1).await;
        (format!("{head}@{}/{name}", proxy.address), proxy)
    }

    async fn with(server: SocketAddr, loss: Loss, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cuts);
        let silent = CancellationToken::new();
        let silence = silent.clone();
        let forgotten = Arc::new(Mutex::new(CancellationToken::new()));
        let forgetting = Arc::clone(&forgotten);
        let accepting = tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut unheard = Vec::new();
            while let Ok((near, _)) = listener.accept().await {
                if silence.is_cancelled() {
                    unheard.push(near);
                    continue;
                }
                let rng = StdRng::seed_from_u64(rng.random());
                let (counted, silence) = (Arc::clone(&counted), silence.clone());
                let forgotten = forgetting.lock().expect("a lock").clone();
                tokio::spawn(async move {
                    let mut carrying = pin!(carry(near, server, loss, rng));
                    let carried = tokio::select! {
                        carried = &mut carrying => Some(carried),
                        () = silence.cancelled() => None,
                        // Kept, and never looked at again.
                        () = forgotten.cancelled() => std::future::pending().await,
                    };
                    if let Some(Ok(true)) = carried {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, cuts, accepting, silent, forgotten }
    }

    /// Cuts all connections; new ones are taken, and nothing is ever said on them.
    pub fn fall_silent(&self) {
        self.silent.cancel();
    }

    /// Forgets all connections: they stay, and nothing is carried over them any more. New ones are
    /// carried.
    pub fn forget(&self) {
        std::mem::take(&mut *self.forgotten.lock().expect("a lock")).cancel();
    }

    /// A client with a connection of its own through the proxy.
    pub fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Carries one connection until it ends or is cut; true where it was cut.
async fn carry(
    mut near: TcpStream,
    server: SocketAddr,
    loss: Loss,
    mut rng: StdRng,
) -> io::Result<bool> {
    let mut far = TcpStream::connect(server).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut near_in, mut near_out) = near.split();
    let (mut far_in, mut far_out) = far.split();
    let down = async {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = far_in.read(&mut bytes).await?;
            if count == 0 {
                return Ok(false);
            }
            if (loss.is_answer)(&bytes[..count]) && rng.random_bool(loss.part) {
                return Ok(true);
            }
            near_out.write_all(&bytes[..count]).await?;
        }
    };
    // Dropping both ends at the end is what cuts them.
    tokio::select! {
        up = tokio::io::copy(&mut near_in, &mut far_out) => up.map(|_| false),
        cut = down => cut,
    }
}

/// Whether an answer begins among these frames: what the server says of its settings is none.
fn has_answer(bytes: &[u8]) -> bool {
    has_frame(bytes, &[HEADERS])
}

/// Whether an answer begins or goes on among these frames.
fn has_message(bytes: &[u8]) -> bool {
    has_frame(bytes, &[HEADERS, DATA])
}

fn has_frame(mut bytes: &[u8], kinds: &[u8]) -> bool {
    while let Some(header) = bytes.first_chunk::<FRAME_HEADER>() {
        if kinds.contains(&header[3]) {
            return true;
        }
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let length = usize::try_from(length).expect("a length");
        bytes = bytes.get(FRAME_HEADER + length..).unwrap_or_default();
    }
    false
}

/// Whether PostgreSQL says here that it has committed.
fn has_commit(bytes: &[u8]) -> bool {
    const COMMITTED: &[u8] = b"COMMIT\0";
    bytes.windows(COMMITTED.len()).any(|window| window == COMMITTED)
}
