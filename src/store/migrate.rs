//! Brings the tables forward. Knows no table but the one that records which steps are done.

use super::db::{Db, Durability};
use super::error::{Error, Result};
use super::sql::{self, Migration};

/// Runs the steps that this database has not seen, in one change: two programs that start together do each once.
///
/// Fails with `Newer` when the database has seen a step that `known` lacks.
pub fn forward(db: &dyn Db, known: &[Migration]) -> Result<()> {
    let newest = known.last().map_or(0, |m| m.version);
    db.write(Durability::Full, &mut |tx| {
        tx.execute(&sql::MIGRATIONS_TABLE, &[])?;
        let rows = tx.query(&sql::MIGRATIONS_NEWEST, &[])?;
        let found = rows.first().map_or(Ok(0), |row| row.int("version"))?;
        if found > newest {
            return Err(Error::Newer { found, known: newest });
        }
        for step in known.iter().filter(|m| m.version > found) {
            let text = step.text(db.dialect()).ok_or(Error::NotBuilt(db.dialect()))?;
            tx.batch(text)?;
            tx.execute(&sql::MIGRATION_DONE, &[step.version.into(), step.name.into()])?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::sqlite::Sqlite;
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (i, m) in sql::MIGRATIONS.iter().enumerate() {
            assert_eq!(m.version, i as i64 + 1, "{}", m.name);
        }
    }

    #[test]
    fn going_forward_twice_does_nothing_more() {
        let db = Sqlite::memory().unwrap();
        forward(&db, sql::MIGRATIONS).unwrap();
        forward(&db, sql::MIGRATIONS).unwrap();
    }

    #[test]
    fn marks_that_were_facts_are_marks_now() {
        let db = Sqlite::memory().unwrap();
        forward(&db, &sql::MIGRATIONS[..2]).unwrap();
        let facts = [("push:1", r#"{"tries":3,"until":7000}"#), ("push:2", "half"), ("queue_paused", "1")];
        db.write(Durability::Full, &mut |tx| {
            facts.iter().try_for_each(|(name, value)| {
                tx.execute(&sql::FACT_PUT, &[(*name).into(), (*value).into()]).map(drop)
            })
        })
        .unwrap();
        forward(&db, sql::MIGRATIONS).unwrap();
        let there = |sql, name: &str| db.query(sql, &[name.into()]).unwrap();
        let mark = &there(&sql::MARK_GET, "push:1")[0];
        assert_eq!((mark.int("tries").unwrap(), mark.int("until").unwrap()), (3, 7000));
        assert!(there(&sql::MARK_GET, "push:2").is_empty() && there(&sql::FACT_GET, "push:1").is_empty());
        assert_eq!(there(&sql::FACT_GET, "queue_paused").len(), 1);
    }

    #[test]
    fn a_database_from_a_newer_version_is_refused_and_left_alone() {
        let db = Sqlite::memory().unwrap();
        forward(&db, sql::MIGRATIONS).unwrap();
        let refused = forward(&db, &[]).unwrap_err();
        assert!(matches!(refused, Error::Newer { found, known: 0 } if found >= 1), "{refused}");
        forward(&db, sql::MIGRATIONS).unwrap();
    }

    #[test]
    fn every_statement_is_embedded_and_understood() {
        let db = Sqlite::memory().unwrap();
        forward(&db, sql::MIGRATIONS).unwrap();
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/queries")).unwrap();
        assert_eq!(files.count(), sql::ALL.len(), "a file in sql/queries has no constant in sql.rs");
        for statement in sql::ALL {
            let arguments = statement.text(db.dialect()).matches('?').count();
            let refused = (0..=arguments).all(|n| {
                let args = vec![super::super::db::Value::Null; n];
                let mut accepted = false;
                // Undone each time; a NULL where none is allowed is a refusal after the text was understood.
                let _ = db.write(Durability::Normal, &mut |tx| {
                    let ran = tx.execute(statement, &args).map(drop);
                    let queried = tx.query(statement, &args).map(drop);
                    accepted = [ran, queried].into_iter().any(|r| match r {
                        Ok(()) => true,
                        Err(e) => e.to_string().contains("constraint") || e.to_string().contains("mismatch"),
                    });
                    Err(Error::Other("undo".to_owned()))
                });
                !accepted
            });
            assert!(!refused, "{} is not understood", statement.name);
        }
    }
}
