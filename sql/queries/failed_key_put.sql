INSERT INTO failed_keys (dedup_key, times, until, job_id) VALUES (?1, ?2, ?3, ?4)
