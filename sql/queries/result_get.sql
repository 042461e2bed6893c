SELECT body, report, language FROM results WHERE job_id = ?1
