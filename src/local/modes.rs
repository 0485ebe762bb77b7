//! How AWS behaves beyond its answers: it takes time, it is late, and it counts calls. Each as a mode that can be switched on.

use std::time::Duration;

use super::Options;
use super::faults::Quirk;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// As `wsfix dev --like-aws` names it.
    pub name: &'static str,
    /// What AWS does, in one line.
    pub about: &'static str,
    set: fn(&mut Options),
}

impl Mode {
    /// Switches it on. Its times pass on the cloud's clock.
    pub fn switch_on(&self, options: &mut Options) {
        (self.set)(options);
    }
}

/// So often a role that is new is refused.
const ASSUMED_AFTER: usize = 3;

/// All of them. The times are those that people measured on AWS, in the upper half of what they saw.
pub const ALL: &[Mode] = &[
    Mode {
        name: "table-states",
        about: "a table is CREATING, or UPDATING after a change, for 18 s; until then it takes no change and no data",
        set: |options| options.delays.table = Duration::from_secs(18),
    },
    Mode {
        name: "index-backfill",
        about: "an index that is added to a table fills for 10 minutes; until then the table cannot be deleted",
        set: |options| options.delays.backfill = Duration::from_secs(600),
    },
    Mode {
        name: "function-states",
        about: "a new function is Pending, and a changed one InProgress, for 4 s; until then it takes no change",
        set: |options| options.delays.function = Duration::from_secs(4),
    },
    Mode {
        name: "slow-deletions",
        about: "tables, indexes and functions are there for 5 s after they were deleted",
        set: |options| options.delays.deletion = Duration::from_secs(5),
    },
    Mode {
        name: "late-reads",
        about: "reads of tables, functions and the list of APIs show for 2 s what was before a change; queries of an index for 0.5 s",
        set: |options| {
            options.delays.read = Duration::from_secs(2);
            options.delays.index = Duration::from_millis(500);
        },
    },
    Mode {
        name: "late-deployments",
        about: "a stage deploys by itself 5 s after a change, and a deployment is served 5 s after it was made",
        set: |options| options.delays.deployment = Duration::from_secs(5),
    },
    Mode {
        name: "log-group-returns",
        about: "a late line makes a log group anew that was deleted, once",
        set: |options| options.quirks.push(Quirk::LogGroupReturns),
    },
    Mode {
        name: "permission-lost",
        about: "a statement of AddPermission is lost to another call at the same time, once",
        set: |options| options.quirks.push(Quirk::PermissionLost),
    },
    Mode {
        name: "role-not-assumable",
        about: "Lambda cannot assume a role yet that is new: CreateFunction is refused three times",
        set: |options| options.quirks.extend([Quirk::RoleNotAssumable; ASSUMED_AFTER]),
    },
    Mode {
        name: "quotas",
        about: "control-plane calls are counted: API Gateway takes 10 a second and 40 at once, Lambda 15 a second, CloudWatch Logs 5",
        set: |options| options.quotas = true,
    },
];

/// The one of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Mode> {
    ALL.iter().find(|mode| mode.name == name)
}
