UPDATE jobs SET lease_until = ?3
WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
