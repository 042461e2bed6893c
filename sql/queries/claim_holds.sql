SELECT 1 AS held FROM jobs WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
