//! The door: who comes in, and for how long.
//!
//! A [`Door`] accepts connections up to a number, each of which has a moment to get through its TLS
//! handshake and to say that it speaks HTTP/2, on a task of its own; tonic is given those that did.
//! [`server`] is tonic's server with the limits that hold from then on.

mod connection;
mod counts;
mod peer;
mod room;
mod server;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use self::connection::Connection;
pub use self::counts::{Counts, Snapshot};
pub use self::peer::{Peer, PeerNames};
use self::room::{Full, Place, Room};
pub use self::server::server;
use self::tls::{Current, Reload};
pub use self::tls::{Error, Files};
use crate::limits;

/// What a door asks of those who come.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Connections at once.
    pub connections: usize,
    /// How many of them may come from one address; None where it does not matter.
    pub connections_per_address: Option<usize>,
    /// Where certificate and key are; None is without TLS.
    pub tls: Option<Files>,
    /// How long what may take.
    pub patience: Patience,
}

impl Settings {
    /// Of a door for probes, which come one by one, ask, and go.
    #[must_use]
    pub fn for_probes() -> Self {
        let patience = Patience { age: limits::HEALTH_CONNECTION_AGE, ..Patience::default() };
        Self {
            connections: limits::HEALTH_CONNECTIONS,
            connections_per_address: Some(limits::HEALTH_CONNECTIONS_PER_ADDRESS),
            tls: None,
            patience,
        }
    }
}

/// How long what may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the first packet until TLS stands and HTTP/2 is spoken.
    pub begin: Duration,
    /// How often a connection is asked for a sign of life.
    pub ping_every: Duration,
    /// The answer to that, and any write.
    pub pong: Duration,
    /// A call until its answer begins, the reading of its request included.
    pub call: Duration,
    /// A connection, until its client is asked to make another.
    pub age: Duration,
    /// How often the TLS files are looked at.
    pub look_every: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            begin: limits::CONNECTION_BEGIN,
            ping_every: limits::KEEPALIVE_EVERY,
            pong: limits::KEEPALIVE_TIMEOUT,
            call: limits::CALL_TIME_MAX,
            age: limits::CONNECTION_AGE,
            look_every: limits::TLS_LOOK_EVERY,
        }
    }
}

/// A listener, and what it asks of those who come.
pub struct Door {
    listener: TcpListener,
    room: Arc<Room>,
    tls: Option<Current>,
    reload: Option<Reload>,
    patience: Patience,
    counts: Arc<Counts>,
}

impl Door {
    /// A door on this listener.
    ///
    /// # Errors
    /// [`Error`] where the TLS files cannot be used: which, and why.
    pub async fn open(listener: TcpListener, settings: Settings) -> Result<Self, Error> {
        let (tls, reload) = match settings.tls {
            Some(files) => {
                let (current, reload) = tls::load(files).await?;
                (Some(current), Some(reload))
            }
            None => (None, None),
        };
        let Settings { connections, connections_per_address, patience, .. } = settings;
        let room = Arc::new(Room::new(connections, connections_per_address));
        let counts = Arc::new(Counts::new(Arc::clone(&room)));
        Ok(Self { listener, room, tls, reload, patience, counts })
    }

    /// How long what may take.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Who came.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Looks at the TLS files now and then, until `closing`, and takes new ones for new connections.
    /// Ends at once where there are none.
    pub fn follow(&mut self, closing: CancellationToken) -> impl Future<Output = ()> + use<> {
        let reload = self.reload.take();
        let every = self.patience.look_every;
        async move {
            if let Some(reload) = reload {
                reload.run(every, closing).await;
            }
        }
    }

    /// Those who come, as soon as they are through. Dropping it closes the listener.
    pub fn connections(self) -> impl Stream<Item = Result<Connection, Infallible>> {
        let Self { listener, room, tls, patience, counts, .. } = self;
        let most = room.most();
        let entrance = Entrance { listener, room, counts: Arc::clone(&counts), trouble: false };
        stream::unfold(entrance, async |mut entrance| Some((entrance.next().await, entrance)))
            .map(move |guest| {
                let tls = tls.as_ref().map(Current::get);
                let let_in = connection::begin(guest, tls, patience);
                AbortOnDropHandle::new(tokio::spawn(let_in))
            })
            // As many as there is room for: none waits behind another.
            .buffer_unordered(most)
            .filter_map(move |began| {
                let began = counts.began(began);
                async { began.map(Ok) }
            })
    }
}

/// Who has come to the door, and has a place inside.
struct Guest {
    socket: TcpStream,
    address: SocketAddr,
    place: Place,
}

/// The way from the network to the door.
struct Entrance {
    listener: TcpListener,
    room: Arc<Room>,
    counts: Arc<Counts>,
    /// Whether the last one could not come in, so that a log is not filled with it.
    trouble: bool,
}

impl Entrance {
    /// The next one for whom there is room. Others are closed at once; errors are outlived.
    async fn next(&mut self) -> Guest {
        loop {
            match self.listener.accept().await {
                Ok((socket, address)) => match self.room.enter(address.ip()) {
                    Ok(place) => {
                        self.trouble = false;
                        return Guest { socket, address, place };
                    }
                    Err(full) => self.turn_away(address, full),
                },
                // Gone before it was looked at.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => self.wait_after(error).await,
            }
        }
    }

    fn turn_away(&mut self, address: SocketAddr, why: Full) {
        self.counts.turned_away(why);
        if !std::mem::replace(&mut self.trouble, true) {
            tracing::warn!(%address, %why, "a connection is turned away");
        }
    }

    /// What the system is short of, files above all, comes back when others end.
    async fn wait_after(&mut self, error: io::Error) {
        if !std::mem::replace(&mut self.trouble, true) {
            tracing::warn!(%error, "no connection can be accepted");
        }
        sleep(limits::ACCEPT_PAUSE).await;
    }
}
