UPDATE jobs SET priority = ?2 WHERE id = ?1 AND state IN ('queued', 'processing')
