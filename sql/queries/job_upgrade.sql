-- Only while nothing of it has been made with less.
UPDATE jobs SET preset = ?2, result_rank = ?3
WHERE id = ?1 AND state = 'queued' AND started_at IS NULL
