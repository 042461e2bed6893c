INSERT INTO windows_in_flight (job_id, idx, since) VALUES (?1, ?2, ?3)
