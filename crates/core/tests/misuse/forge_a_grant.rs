//! A grant's fields are its own.

use secure_download_core::{AuditId, Download, Grant, ResponsePlan, Terms};

fn forged(download: Download, plan: ResponsePlan, audit_id: AuditId) -> Grant {
    Grant { download, plan, terms: Terms::new(), limited: false, names_cache_policy: false, audit_id, observer: None }
}

fn main() {}
