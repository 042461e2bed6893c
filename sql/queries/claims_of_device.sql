SELECT id, claim_token, lease_until FROM jobs
WHERE state = 'processing' AND claim_node = ?1 AND claim_device = ?2
ORDER BY created_at, id
