//! Every promise of store and queue, on every database. Knows no database but how to open one.

mod conformance {
    /// Makes of each case, named in the list, a test on each database. A case that is not listed is dead code,
    /// which the compiler tells.
    macro_rules! on_every_database {
        ($($case:ident),+ $(,)?) => {
            mod sqlite_file {
                $(#[test] fn $case() { super::$case(&crate::conformance::bench::Bench::file()) })+
            }
            mod sqlite_memory {
                $(#[test] fn $case() { super::$case(&crate::conformance::bench::Bench::memory()) })+
            }
        };
    }

    mod bench;
    mod claims;
    mod crashes;
    mod deaths;
    mod deliveries;
    mod ends;
    mod looks;
    mod moves;
    mod submits;
    mod waits;
    mod windows;
}
