-- Ends of jobs that somebody is still to be told of. They outlive their jobs.

CREATE TABLE deliveries (
    id     TEXT    NOT NULL PRIMARY KEY,
    job_id TEXT    NOT NULL,
    event  TEXT    NOT NULL,
    body   TEXT    NOT NULL,            -- JSON, the same at each try
    since  INTEGER NOT NULL,            -- the job's end
    tries  INTEGER NOT NULL,
    due    INTEGER NOT NULL             -- not sent earlier
) STRICT;

CREATE INDEX deliveries_due ON deliveries (due, since, id);
