SELECT id FROM jobs
WHERE state = 'queued' AND not_before <= ?1 AND (home IS NULL OR home = ?2)
  AND kind IN (?3, ?4) AND priority >= ?5
  AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'queue_paused' AND value = '1')
ORDER BY priority DESC, created_at, id
LIMIT 1
