DELETE FROM windows_in_flight WHERE job_id = ?1
