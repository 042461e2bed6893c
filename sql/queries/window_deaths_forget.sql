DELETE FROM window_deaths WHERE job_id = ?1 AND idx IN (?2, ?3)
