SELECT deaths FROM window_deaths WHERE job_id = ?1 AND idx = ?2
