DELETE FROM jobs WHERE state IN ('completed', 'failed', 'cancelled') AND completed_at < ?1
