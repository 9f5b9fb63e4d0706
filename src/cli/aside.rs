//! What blocks, beside what waits.

use tokio::sync::oneshot;

use super::Error;

/// Does what blocks on a thread of its own, at once; a command that ends does not wait for it.
pub fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, Error>> {
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || sender.send(work()));
    async { done.await.map_err(|_| Error::Unexpected("a thread of the command panicked")) }
}
