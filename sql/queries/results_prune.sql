DELETE FROM results
WHERE job_id IN (SELECT id FROM jobs WHERE state = 'completed' AND completed_at < ?1)
