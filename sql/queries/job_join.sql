UPDATE jobs SET priority = ?2, output = COALESCE(output, ?3)
WHERE id = ?1 AND state IN ('queued', 'processing')
