UPDATE window_deaths SET deaths = deaths + 1 WHERE job_id = ?1 AND idx = ?2
