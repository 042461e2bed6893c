SELECT times, until, job_id FROM failed_keys WHERE dedup_key = ?1
