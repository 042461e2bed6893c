DELETE FROM results WHERE job_id = ?1
