SELECT DISTINCT spool_hash FROM jobs
WHERE state IN ('queued', 'processing') AND home = ?1 AND spool_hash IS NOT NULL
