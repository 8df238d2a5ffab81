//! [`Connection`]: one connection for all requests, and another one as soon as it fails.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisFuture, RedisResult, ScriptInvocation};
use redis::{ServerErrorKind, Value};
use tokio::time::timeout;

/// A server that has not answered for so long will not.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection that is not there after so long will not come. Sentinels are asked one after the other.
const CONNECTING: Duration = Duration::from_secs(4);

type Connect = Arc<dyn Fn() -> BoxFuture<'static, RedisResult<Any>> + Send + Sync>;

/// A connection that is being made, for all who wait for it.
type Made = Shared<BoxFuture<'static, RedisResult<Any>>>;

/// A connection that many requests share. A request that fails replaces it, unless another request has done so already.
pub(super) struct Connection {
    connect: Connect,
    current: Mutex<Made>,
}

/// How often a step is sent to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tries {
    /// Once: a late first try would do harm after a second one.
    Once,
    /// Once more over a new connection: done twice is as done once.
    Twice,
}

impl Connection {
    pub(super) fn new<C, F, Fut>(connect: F) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = RedisResult<C>> + Send + 'static,
    {
        let connect: Connect = Arc::new(move || {
            let made = connect();
            async move { Ok(Any(Arc::new(made.await?))) }.boxed()
        });
        let current = Mutex::new(made(&connect));
        Self { connect, current }
    }

    /// Waits for a first connection on which the server takes commands: one that asks for a password takes connections without.
    pub(super) async fn ready(&self) -> RedisResult<()> {
        let mut connection = self.current().await?;
        let ping = redis::cmd("PING");
        match within(PATIENCE, ping.query_async::<Value>(&mut connection)).await {
            // A user who may run scripts need not be allowed this.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Runs a script.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
        tries: Tries,
    ) -> RedisResult<T> {
        let mut left = match tries {
            Tries::Once => 0,
            Tries::Twice => 1,
        };
        loop {
            let made = self.current();
            let error = match attempt(&made, script).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if is_final(&error) {
                return Err(error);
            }
            self.replace(&made);
            if left == 0 {
                return Err(error);
            }
            left -= 1;
        }
    }

    fn current(&self) -> Made {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, failed: &Made) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.ptr_eq(failed) {
            *current = made(&self.connect);
        }
    }
}

fn made(connect: &Connect) -> Made {
    let connect = Arc::clone(connect);
    within(CONNECTING, async move { connect().await }).boxed().shared()
}

async fn attempt<T: FromRedisValue>(made: &Made, script: &ScriptInvocation<'_>) -> RedisResult<T> {
    let mut connection = made.clone().await?;
    within(PATIENCE, script.invoke_async(&mut connection)).await
}

/// Code of the application's runs inside: what it panics with is an error of one connection, and the next one is made anew.
async fn within<T>(time: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match AssertUnwindSafe(timeout(time, work)).catch_unwind().await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        Err(_) => Err(std::io::Error::other("the application's connection panicked: see its log").into()),
    }
}

/// Whether another connection would answer the same.
fn is_final(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ResponseError | ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot
        ),
        ErrorKind::InvalidClientConfig | ErrorKind::UnexpectedReturnType => true,
        _ => false,
    }
}

/// Any connection, which many may use at a time.
#[derive(Clone)]
struct Any(Arc<dyn Commands>);

trait Commands: Send + Sync {
    fn one<'a>(&self, command: &'a Cmd) -> RedisFuture<'a, Value>;
    fn many<'a>(
        &self,
        pipeline: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>>;
    fn database(&self) -> i64;
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Commands for C {
    fn one<'a>(&self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let mut connection = self.clone();
        async move { connection.req_packed_command(command).await }.boxed()
    }

    fn many<'a>(
        &self,
        pipeline: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut connection = self.clone();
        async move { connection.req_packed_commands(pipeline, offset, count).await }.boxed()
    }

    fn database(&self) -> i64 {
        self.get_db()
    }
}

impl ConnectionLike for Any {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.one(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.many(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.database()
    }
}
