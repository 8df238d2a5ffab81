//! [`NameServer`]: knows one name, and changes its mind.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A name server on a loopback port. Every name has the one address, for a second at a time (RFC 1035).
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    answer: Arc<Mutex<Option<Ipv4Addr>>>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn start(answer: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let answer = Arc::new(Mutex::new(Some(answer)));
        let shared = Arc::clone(&answer);
        let task = tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let answer = *shared.lock().expect("not poisoned");
                if let Some(reply) = reply(&query[..length], answer) {
                    let _ = socket.send_to(&reply, from).await;
                }
            }
        });
        Self { address, answer, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on every name has this address.
    ///
    /// # Panics
    /// If the server panicked.
    pub fn change(&self, answer: Ipv4Addr) {
        *self.answer.lock().expect("not poisoned") = Some(answer);
    }

    /// From now on no name exists.
    ///
    /// # Panics
    /// If the server panicked.
    pub fn forget(&self) {
        *self.answer.lock().expect("not poisoned") = None;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The question again, and for type A its answer, or that there is no such name.
fn reply(query: &[u8], answer: Option<Ipv4Addr>) -> Option<Vec<u8>> {
    // The name is labels up to an empty one; type and class follow.
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += 1 + usize::from(query[end]);
    }
    let question = query.get(12..end + 5)?;
    let is_a = question.ends_with(&[0, 1, 0, 1]);
    let (code, address) = (if answer.is_none() { 3 } else { 0 }, answer.filter(|_| is_a));
    let mut reply = query.get(..2)?.to_vec();
    // A response, recursion desired and available; one question, and one answer or none.
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    reply.extend(question);
    if let Some(address) = address {
        // The name at offset 12, type A, class IN, one second, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}
