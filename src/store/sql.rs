//! Every statement and migration, embedded. Knows no database driver.

use super::db::Dialect;

/// A statement: one text for all databases, and one of its own for a dialect that must differ.
#[derive(Debug)]
pub struct Sql {
    /// The name of its file in `sql/queries/`.
    pub name: &'static str,
    shared: &'static str,
    own: &'static [(Dialect, &'static str)],
}

impl Sql {
    pub fn text(&self, dialect: Dialect) -> &'static str {
        self.own.iter().find(|(d, _)| *d == dialect).map_or(self.shared, |(_, text)| text)
    }
}

macro_rules! statements {
    ($($constant:ident = $file:literal),+ $(,)?) => {
        $(pub static $constant: Sql = Sql {
            name: $file,
            shared: include_str!(concat!("../../sql/queries/", $file, ".sql")),
            own: &[],
        };)+

        /// All of them, for the test that each is understood.
        pub static ALL: &[&Sql] = &[$(&$constant),+];
    };
}

statements! {
    CHECKPOINT_DROP = "checkpoint_drop",
    CHECKPOINT_PUT = "checkpoint_put",
    CHECKPOINTS = "checkpoints",
    CHECKPOINTS_DROP = "checkpoints_drop",
    CLAIM_HOLDS = "claim_holds",
    CLAIM_PICK = "claim_pick",
    CLAIM_PICK_AGED = "claim_pick_aged",
    CLAIM_RENEW = "claim_renew",
    CLAIM_TAKE = "claim_take",
    CLAIMS_EXPIRED = "claims_expired",
    CLAIMS_OF_DEVICE = "claims_of_device",
    CLAIMS_OF_NODE = "claims_of_node",
    DELIVERIES_NEXT = "deliveries_next",
    DELIVERIES_PRUNE = "deliveries_prune",
    DELIVERY_DROP = "delivery_drop",
    DELIVERY_PUT = "delivery_put",
    DELIVERY_PUT_OFF = "delivery_put_off",
    DELIVERY_TAKE = "delivery_take",
    FACT_DROP = "fact_drop",
    FACT_GET = "fact_get",
    FACT_PUT = "fact_put",
    FAILED_KEY_DROP = "failed_key_drop",
    FAILED_KEY_GET = "failed_key_get",
    FAILED_KEY_PUT = "failed_key_put",
    FAILED_KEYS_DROP_ALL = "failed_keys_drop_all",
    FAILED_KEYS_PRUNE = "failed_keys_prune",
    JOB_BY_ID = "job_by_id",
    JOB_BY_LIVE_KEY = "job_by_live_key",
    JOB_CANCEL = "job_cancel",
    JOB_COMPLETE = "job_complete",
    JOB_FAIL = "job_fail",
    JOB_INSERT = "job_insert",
    JOB_JOIN = "job_join",
    JOB_POSTPONE = "job_postpone",
    JOB_PROGRESS = "job_progress",
    JOB_RELEASE = "job_release",
    JOB_RETRY = "job_retry",
    JOB_SET_PRIORITY = "job_set_priority",
    JOB_TRY_AGAIN = "job_try_again",
    JOB_UPGRADE = "job_upgrade",
    JOB_WITH_RESULT = "job_with_result",
    JOBS_CLEAR_COMPLETED = "jobs_clear_completed",
    JOBS_COUNT_BY_STATE = "jobs_count_by_state",
    JOBS_COUNT_ENDED_SINCE = "jobs_count_ended_since",
    JOBS_NEWEST = "jobs_newest",
    JOBS_NEWEST_IN_STATE = "jobs_newest_in_state",
    JOBS_PRUNE = "jobs_prune",
    MARK_DROP = "mark_drop",
    MARK_GET = "mark_get",
    MARK_PUT = "mark_put",
    MARKS_PRUNE = "marks_prune",
    MIGRATION_DONE = "migration_done",
    MIGRATIONS_NEWEST = "migrations_newest",
    MIGRATIONS_TABLE = "migrations_table",
    RESULT_DROP = "result_drop",
    RESULT_GET = "result_get",
    RESULT_PUT = "result_put",
    RESULTS_PRUNE = "results_prune",
    SPOOLS_IN_USE = "spools_in_use",
    WINDOW_BEGIN = "window_begin",
    WINDOW_DEATH_AGAIN = "window_death_again",
    WINDOW_DEATH_FIRST = "window_death_first",
    WINDOW_DEATHS = "window_deaths",
    WINDOW_DEATHS_FORGET = "window_deaths_forget",
    WINDOW_OVER = "window_over",
    WINDOWS_DEATHS_FORGET = "windows_deaths_forget",
    WINDOWS_IN_FLIGHT = "windows_in_flight",
    WINDOWS_OVER = "windows_over",
}

/// A step from one form of the tables to the next. Never edited after a release.
#[derive(Debug)]
pub struct Migration {
    /// 1, 2, 3 …, the same numbers in all databases.
    pub version: i64,
    pub name: &'static str,
    sqlite: &'static str,
}

impl Migration {
    /// `None`: this database is not built in.
    pub fn text(&self, dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::Sqlite => Some(self.sqlite),
            Dialect::Postgres | Dialect::Mariadb => None,
        }
    }
}

/// In order; forward only.
pub static MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", sqlite: include_str!("../../sql/sqlite/001_initial.sql") },
    Migration { version: 2, name: "deliveries", sqlite: include_str!("../../sql/sqlite/002_deliveries.sql") },
    Migration { version: 3, name: "marks", sqlite: include_str!("../../sql/sqlite/003_marks.sql") },
];
