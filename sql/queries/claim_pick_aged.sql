-- As claim_pick, but ?6 milliseconds of waiting are worth one point. The order of
-- priority + (now - created_at) / ?6 is that of priority * ?6 - created_at, whatever the time is.
SELECT id FROM jobs
WHERE state = 'queued' AND not_before <= ?1 AND (home IS NULL OR home = ?2)
  AND kind IN (?3, ?4) AND priority * ?6 - created_at >= ?5
  AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'queue_paused' AND value = '1')
ORDER BY priority * ?6 - created_at DESC, created_at, id
LIMIT 1
