//! [`FirstOf`] and [`Router`]: several strategies behind one gate.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http::Response;

use crate::delivery::ServedBy;
use crate::{Body, DeliveryError, DeliveryStrategy, Download, Grant, RequestHead};

/// Tries strategies in order until one does not decline.
///
/// ```
/// # use secure_download_core::{DeliveryStrategy, FirstOf};
/// # fn combine(accel: impl DeliveryStrategy + 'static, stream: impl DeliveryStrategy + 'static) -> FirstOf {
/// FirstOf::new(accel).or(stream)
/// # }
/// ```
#[derive(Clone)]
pub struct FirstOf {
    strategies: Vec<Arc<dyn DeliveryStrategy>>,
}

impl FirstOf {
    /// Tries `strategy` first.
    #[must_use]
    pub fn new(strategy: impl DeliveryStrategy + 'static) -> Self {
        Self { strategies: vec![Arc::new(strategy)] }
    }

    /// Tries `strategy` when all before it declined.
    #[must_use]
    pub fn or(mut self, strategy: impl DeliveryStrategy + 'static) -> Self {
        self.strategies.push(Arc::new(strategy));
        self
    }

    /// The names of the strategies in the order in which they are tried.
    #[must_use]
    pub fn explain(&self) -> Vec<&'static str> {
        self.strategies.iter().map(DeliveryStrategy::name).collect()
    }
}

#[async_trait]
impl DeliveryStrategy for FirstOf {
    fn name(&self) -> &'static str {
        "first-of"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let mut grant = grant;
        let mut rest = self.strategies.iter();
        loop {
            let Some(strategy) = rest.next() else {
                return Err(grant.decline(self.name(), "every strategy declined"));
            };
            match deliver_named(&**strategy, grant, head).await {
                Err(DeliveryError::Declined(declined)) => grant = declined.into_grant(),
                outcome => return outcome,
            }
        }
    }
}

impl fmt::Debug for FirstOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FirstOf").field(&self.explain()).finish()
    }
}

/// Chooses the strategy by the file: the first rule that holds decides.
///
/// ```
/// # use secure_download_core::{DeliveryStrategy, Router};
/// # fn combine(stream: impl DeliveryStrategy + 'static, presign: impl DeliveryStrategy + 'static) -> Router {
/// Router::otherwise(stream)
///     .when("over 100 MB", |file| file.known_length().is_some_and(|length| length > 100 << 20), presign)
/// # }
/// ```
#[derive(Clone)]
pub struct Router {
    rules: Vec<Rule>,
    otherwise: Arc<dyn DeliveryStrategy>,
}

#[derive(Clone)]
struct Rule {
    name: &'static str,
    holds: Arc<dyn Fn(&Download) -> bool + Send + Sync>,
    strategy: Arc<dyn DeliveryStrategy>,
}

/// Which strategy [`Router`] takes for a file, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The name of the rule, `otherwise` if none holds.
    pub rule: &'static str,
    /// The name of the strategy.
    pub strategy: &'static str,
}

impl Router {
    /// Takes `strategy` where no rule holds.
    #[must_use]
    pub fn otherwise(strategy: impl DeliveryStrategy + 'static) -> Self {
        Self { rules: Vec::new(), otherwise: Arc::new(strategy) }
    }

    /// Takes `strategy` for files of which `holds` is true and no earlier rule was.
    #[must_use]
    pub fn when(
        mut self,
        name: &'static str,
        holds: impl Fn(&Download) -> bool + Send + Sync + 'static,
        strategy: impl DeliveryStrategy + 'static,
    ) -> Self {
        self.rules.push(Rule { name, holds: Arc::new(holds), strategy: Arc::new(strategy) });
        self
    }

    /// Says which strategy would serve `download`, and by which rule.
    #[must_use]
    pub fn explain(&self, download: &Download) -> Route {
        match self.rules.iter().find(|rule| (rule.holds)(download)) {
            Some(rule) => Route { rule: rule.name, strategy: rule.strategy.name() },
            None => Route { rule: "otherwise", strategy: self.otherwise.name() },
        }
    }
}

#[async_trait]
impl DeliveryStrategy for Router {
    fn name(&self) -> &'static str {
        "router"
    }

    async fn deliver(&self, grant: Grant, head: &RequestHead) -> Result<Response<Body>, DeliveryError> {
        let rule = self.rules.iter().find(|rule| (rule.holds)(grant.download()));
        let strategy = rule.map_or(&self.otherwise, |rule| &rule.strategy);
        deliver_named(&**strategy, grant, head).await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules.iter().map(|rule| (rule.name, rule.strategy.name()));
        f.debug_map().entries(rules).entry(&"otherwise", &self.otherwise.name()).finish()
    }
}

/// Delivers and notes which strategy did, unless an inner one already has.
///
/// No async function: its future would hold the grant a second time.
pub(crate) fn deliver_named<'a>(
    strategy: &'a dyn DeliveryStrategy,
    grant: Grant,
    head: &'a RequestHead,
) -> impl Future<Output = Result<Response<Body>, DeliveryError>> + Send + 'a {
    let served_by = ServedBy { strategy: strategy.name(), audit_id: grant.audit_id() };
    let delivering = strategy.deliver(grant, head);
    async move {
        let mut response = delivering.await?;
        response.extensions_mut().get_or_insert(served_by);
        Ok(response)
    }
}
