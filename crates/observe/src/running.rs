//! [`Running`]: what was granted and has not ended yet.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use secure_download_core::AuditId;

/// What is kept of each request between its grant and its end. The gate tells every end, so nothing stays.
#[derive(Debug)]
pub(crate) struct Running<T>(Mutex<HashMap<AuditId, T>>);

impl<T> Running<T> {
    pub(crate) fn begin(&self, request: AuditId, kept: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, kept);
    }

    pub(crate) fn end(&self, request: AuditId) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&request)
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn of(&self, request: AuditId) -> Option<T>
    where
        T: Clone,
    {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&request).cloned()
    }
}

impl<T> Default for Running<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
