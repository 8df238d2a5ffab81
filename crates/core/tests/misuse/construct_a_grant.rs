//! Only the gate calls the constructor.

use secure_download_core::{AuditId, Download, Grant, ResponsePlan, Terms};

fn made(download: Download, plan: ResponsePlan, audit_id: AuditId) -> Grant {
    Grant::new(download, plan, Terms::new(), audit_id, None)
}

fn main() {}
