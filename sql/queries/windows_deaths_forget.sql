DELETE FROM window_deaths WHERE job_id = ?1
