SELECT idx, body FROM checkpoints WHERE job_id = ?1 ORDER BY idx
