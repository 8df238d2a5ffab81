//! A store whose connection fails: nothing is lost, and nothing is won twice.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secure_download_links::{Lease, LeaseState, LinkStore, StoreError, StoredLink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{LASTS, Laws, failed, fresh, now};
use crate::Broken;
use crate::law::{Docket, Verdict, ensure};

/// A store answers again so soon after a fault.
const SOON: Duration = Duration::from_secs(10);

/// What happens to a connection between an application and its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is closed when a request comes: the store never hears of it.
    DropBefore,
    /// It is closed when the answer comes: the store has done the work, and the application does not hear of it.
    DropAfter,
    /// The answer comes so much later.
    Delay(Duration),
    /// Nothing passes any more, and nothing is closed.
    BlackHole,
}

/// Passes TCP connections on to a store, and does harm to them as it is told.
///
/// It ends with the runtime.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    orders: Arc<Mutex<Orders>>,
}

#[derive(Debug, Default)]
struct Orders {
    next: Option<Fault>,
    all: Option<Fault>,
}

impl FaultProxy {
    /// A proxy on a free loopback port before the store at `upstream`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let orders = Arc::new(Mutex::new(Orders::default()));
        let given = Arc::clone(&orders);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let orders = Arc::clone(&given);
                tokio::spawn(async move {
                    // A connection that fails is closed, as it would be without the proxy.
                    let _ = pass_on(client, upstream, &orders).await;
                });
            }
        });
        Ok(Self { address, orders })
    }

    /// Where the application finds it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does harm to the connection of the next request, and to no other.
    pub fn harm_next(&self, fault: Fault) {
        self.orders().next = Some(fault);
    }

    /// Does harm to the connection of each request, until it is told `None`.
    pub fn harm_all(&self, fault: Option<Fault>) {
        self.orders().all = fault;
    }

    fn orders(&self) -> std::sync::MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn order(orders: &Mutex<Orders>) -> Option<Fault> {
    let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
    orders.next.take().or(orders.all)
}

async fn pass_on(mut client: TcpStream, upstream: SocketAddr, orders: &Mutex<Orders>) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut fault = None;
    loop {
        tokio::select! {
            count = client.read(&mut up) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                fault = order(orders).or(fault);
                match fault {
                    Some(Fault::DropBefore) => return Ok(()),
                    Some(Fault::BlackHole) => return swallow(client).await,
                    _ => server.write_all(&up[..count]).await?,
                }
            }
            count = server.read(&mut down) => {
                let count = count?;
                match fault.take() {
                    _ if count == 0 => return Ok(()),
                    Some(Fault::DropAfter) => return Ok(()),
                    Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
                    _ => {}
                }
                client.write_all(&down[..count]).await?;
            }
        }
    }
}

/// Takes what comes until the client gives up.
async fn swallow(mut client: TcpStream) -> io::Result<()> {
    let mut room = vec![0; 65536];
    while client.read(&mut room).await? > 0 {}
    Ok(())
}

/// The steps of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Mint,
    Reserve,
    Acquire,
    Look,
    Commit,
    Release,
    Revoke,
    RevokeRecord,
}

const STEPS: [Step; 8] = [
    Step::Mint,
    Step::Reserve,
    Step::Acquire,
    Step::Look,
    Step::Commit,
    Step::Release,
    Step::Revoke,
    Step::RevokeRecord,
];

/// Tries each step of a store while each fault befalls its connection: its answer is right or an error, the store answers again
/// within ten seconds, and afterwards the link has as many uses as it should.
///
/// `harmed` is the store over `proxy`, `direct` the same store over a connection of its own.
///
/// # Panics
/// If laws are broken, with the name of each.
pub async fn check_faults(direct: Arc<dyn LinkStore>, harmed: Arc<dyn LinkStore>, proxy: &FaultProxy) {
    let laws = Laws { store: direct, now: now() };
    let mut docket = Docket::default();
    for (fault, law) in [
        (Fault::DropBefore, "a connection that is closed before a request costs nothing"),
        (Fault::DropAfter, "a connection that is closed before an answer costs nothing"),
        (Fault::Delay(Duration::from_millis(2500)), "a late answer costs nothing"),
        (Fault::BlackHole, "a connection that is silent costs nothing"),
    ] {
        docket.note(law, laws.faults(&*harmed, proxy, fault).await);
    }
    if let Err(broken) = docket.close() {
        let broken: Broken = broken;
        panic!("the link store breaks laws\n{broken}");
    }
}

impl Laws {
    async fn faults(&self, harmed: &dyn LinkStore, proxy: &FaultProxy, fault: Fault) -> Verdict {
        for step in STEPS {
            self.one_fault(harmed, proxy, fault, step).await.map_err(|seen| format!("{step:?}: {seen}"))?;
        }
        Ok(())
    }

    async fn one_fault(
        &self,
        harmed: &dyn LinkStore,
        proxy: &FaultProxy,
        fault: Fault,
        step: Step,
    ) -> Verdict {
        let link = self.mint(Some(1)).await?;
        let lease = Lease { link, lease: fresh() };
        if !matches!(step, Step::Mint | Step::Reserve) {
            let reserved = self.store.reserve(lease, self.now + LASTS, self.now).await;
            ensure!(reserved.map_err(failed("reserve"))?, "a new link has a use");
        }
        // The connection is there, and the next request meets the fault.
        until_it_answers(|| harmed.look(lease, self.now)).await?;
        proxy.harm_next(fault);
        let (store, now) = (harmed, self.now);
        match step {
            Step::Mint => {
                until_it_answers(async || {
                    let id = fresh();
                    let record = format!("record of {id}");
                    store.mint(StoredLink::new(id, &record, Some(1), now + 1000), now).await?;
                    store.reserve(Lease { link: id, lease: fresh() }, now + LASTS, now).await
                })
                .await
                .and_then(|reserved| {
                    if reserved { Ok(()) } else { Err("a new link has no use".to_owned()) }
                })?;
            }
            Step::Reserve => {
                let reserved = until_it_answers(|| store.reserve(lease, now + LASTS, now)).await?;
                ensure!(reserved, "the use is lost");
                self.none_is_left(link, now, "one lease took it").await?;
                self.is(lease, now, LeaseState::Held, "it was reserved").await?;
            }
            Step::Acquire => {
                let state = until_it_answers(|| store.acquire(lease, now)).await?;
                ensure!(state == LeaseState::Held, "acquired, the lease is {state:?}");
                self.none_is_left(link, now, "the lease holds it").await?;
            }
            Step::Look => {
                let state = until_it_answers(|| store.look(lease, now)).await?;
                ensure!(state == LeaseState::Held, "looked at, the lease is {state:?}");
                self.none_is_left(link, now, "the lease holds it").await?;
            }
            Step::Commit => {
                let spent = until_it_answers(|| store.commit(lease, now)).await?;
                ensure!(spent, "the lease holds a use, and cannot spend it");
                self.is(lease, now, LeaseState::Committed, "it was spent").await?;
                self.none_is_left(link, now + LASTS, "it was spent").await?;
            }
            Step::Release => {
                until_it_answers(|| store.release(lease)).await?;
                self.reserve(link, now, "it was given back").await?;
                self.none_is_left(link, now, "it was given back once").await?;
            }
            Step::Revoke => {
                until_it_answers(|| store.revoke(link)).await?;
                self.is(lease, now, LeaseState::Gone, "its link was revoked").await?;
            }
            Step::RevokeRecord => {
                until_it_answers(async || store.revoke_record(&format!("record of {link}")).await).await?;
                self.is(lease, now, LeaseState::Gone, "its record was revoked").await?;
            }
        }
        Ok(())
    }
}

/// Asks as clients do after a 503, until the store answers.
async fn until_it_answers<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, String> {
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if started.elapsed() > SOON => {
                return Err(format!("no answer within {} seconds: {error}", SOON.as_secs()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
