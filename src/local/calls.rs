//! The record of every AWS call that the cloud answered, for tests, benchmarks and `dev -v`.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

/// One answered call.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The IAM prefix of the service: `dynamodb`, `apigateway`.
    pub service: &'static str,
    /// As AWS names it: `CreateTable`.
    pub operation: String,
    /// Who called.
    pub caller: String,
    /// The answer's status.
    pub status: u16,
    /// When it came in.
    pub started: Instant,
    /// When it was answered.
    pub ended: Instant,
}

impl CallRecord {
    /// Whether the operation may change the account.
    #[must_use]
    pub fn is_mutating(&self) -> bool {
        let reads = ["Get", "List", "Describe", "Simulate", "Filter", "Query", "Scan", "Head"];
        !reads.iter().any(|read| self.operation.starts_with(read))
    }
}

/// So many calls are remembered.
const KEPT: usize = 100_000;

/// The calls since the start; of very many, the last.
#[derive(Debug, Default)]
pub struct Calls(Mutex<VecDeque<CallRecord>>);

impl Calls {
    /// Adds one.
    pub(crate) fn record(&self, call: CallRecord) {
        let mut calls = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if calls.len() == KEPT {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// All of them, in the order in which they were answered.
    #[must_use]
    pub fn all(&self) -> Vec<CallRecord> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().cloned().collect()
    }

    /// Forgets what was recorded, to count from here.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{CallRecord, Calls};

    fn call(operation: &str) -> CallRecord {
        let now = Instant::now();
        CallRecord { service: "lambda", operation: operation.to_owned(), caller: String::new(), status: 200, started: now, ended: now }
    }

    #[test]
    fn reads_are_told_from_writes() {
        for operation in ["GetFunction", "ListTables", "DescribeTable", "SimulatePrincipalPolicy", "FilterLogEvents", "Query", "Scan"] {
            assert!(!call(operation).is_mutating(), "{operation}");
        }
        for operation in ["CreateTable", "UpdateStage", "PutItem", "AddPermission", "TagResource"] {
            assert!(call(operation).is_mutating(), "{operation}");
        }
    }

    #[test]
    fn calls_are_kept_in_order_until_forgotten() {
        let calls = Calls::default();
        calls.record(call("A"));
        calls.record(call("B"));
        let names: Vec<String> = calls.all().into_iter().map(|call| call.operation).collect();
        assert_eq!(names, ["A", "B"]);
        calls.clear();
        assert!(calls.all().is_empty());
    }
}
