SELECT * FROM jobs
WHERE result_key = ?1 AND state = 'completed' AND result_rank >= ?2
  AND EXISTS (SELECT 1 FROM results WHERE results.job_id = jobs.id)
ORDER BY result_rank DESC, completed_at DESC, id DESC
LIMIT 1
