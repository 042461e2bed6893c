INSERT INTO results (job_id, body, report, language) VALUES (?1, ?2, ?3, ?4)
