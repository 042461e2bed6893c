INSERT INTO deliveries (id, job_id, event, body, since, tries, due) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?5)
