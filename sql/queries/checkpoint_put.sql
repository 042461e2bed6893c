INSERT INTO checkpoints (job_id, idx, body) VALUES (?1, ?2, ?3)
