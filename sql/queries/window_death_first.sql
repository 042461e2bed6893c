INSERT INTO window_deaths (job_id, idx, deaths) VALUES (?1, ?2, 1)
