-- Times are milliseconds since 1970 UTC; a flag is 0 or 1; a key is a BLAKE3 hash in hex.

CREATE TABLE jobs (
    id             TEXT    NOT NULL PRIMARY KEY,
    kind           TEXT    NOT NULL,
    origin         TEXT    NOT NULL,
    source_path    TEXT,
    source_track   INTEGER,
    spool_hash     TEXT,
    spool_raw      INTEGER NOT NULL,
    home           TEXT,                -- the node that has the upload; NULL: any node
    file_name      TEXT    NOT NULL,
    task           TEXT    NOT NULL,
    source_lang    TEXT,                -- Whisper's code, as are all languages here
    target_lang    TEXT,
    preset         TEXT    NOT NULL,
    options        TEXT    NOT NULL,    -- JSON
    priority       INTEGER NOT NULL,    -- with the origin's bonus
    dedup_key      TEXT    NOT NULL,
    live_key       TEXT    UNIQUE,      -- dedup_key until the job has ended, then NULL
    result_key     TEXT,                -- dedup_key once the job is completed
    result_rank    INTEGER NOT NULL,
    output         TEXT,
    state          TEXT    NOT NULL CHECK (state IN ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    stage          TEXT    NOT NULL,
    progress       REAL    NOT NULL,
    eta_ms         INTEGER,
    created_at     INTEGER NOT NULL,
    started_at     INTEGER,             -- of the first claim
    completed_at   INTEGER,             -- of any end
    error          TEXT,
    retry_count    INTEGER NOT NULL,
    max_retries    INTEGER NOT NULL,
    not_before     INTEGER NOT NULL,    -- not claimed earlier
    claim_token    TEXT,                -- NULL unless processing
    claim_node     TEXT,                -- these two stay after the end, to tell who did it
    claim_device   TEXT,
    claimed_at     INTEGER,
    lease_until    INTEGER,
    segments_count INTEGER,
    model_used     TEXT,
    device_used    TEXT,
    processing_ms  INTEGER,             -- under claims in all
    output_path    TEXT,
    CHECK ((source_path IS NULL) <> (spool_hash IS NULL)),
    CHECK ((state = 'processing') = (claim_token IS NOT NULL))
) STRICT;

CREATE INDEX jobs_to_claim ON jobs (state, priority DESC, created_at, id);
CREATE INDEX jobs_by_state ON jobs (state, created_at, id);
CREATE INDEX jobs_by_age ON jobs (created_at, id);
CREATE INDEX jobs_ended ON jobs (state, completed_at);
CREATE INDEX jobs_with_result ON jobs (result_key);

-- The text of each window that ended well.
CREATE TABLE checkpoints (
    job_id TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx    INTEGER NOT NULL,
    body   TEXT    NOT NULL,            -- JSON
    PRIMARY KEY (job_id, idx)
) STRICT;

-- The windows that are being decoded under the present claim.
CREATE TABLE windows_in_flight (
    job_id TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx    INTEGER NOT NULL,
    since  INTEGER NOT NULL,
    PRIMARY KEY (job_id, idx)
) STRICT;

-- How many processes died in a row while a window was being decoded.
CREATE TABLE window_deaths (
    job_id TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    idx    INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    PRIMARY KEY (job_id, idx)
) STRICT;

CREATE TABLE results (
    job_id   TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    body     BLOB NOT NULL,             -- gzip of JSON
    report   TEXT,
    language TEXT
) STRICT;

-- Keys whose last job failed: not tried again before `until`, unless a person asks.
CREATE TABLE failed_keys (
    dedup_key TEXT    NOT NULL PRIMARY KEY,
    times     INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    job_id    TEXT    NOT NULL
) STRICT;

CREATE TABLE facts (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
