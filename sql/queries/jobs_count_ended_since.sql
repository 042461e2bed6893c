SELECT COUNT(*) AS jobs FROM jobs WHERE state = ?1 AND completed_at >= ?2
