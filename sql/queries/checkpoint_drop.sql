DELETE FROM checkpoints WHERE job_id = ?1 AND idx = ?2
