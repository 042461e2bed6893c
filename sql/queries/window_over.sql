DELETE FROM windows_in_flight WHERE job_id = ?1 AND idx = ?2
