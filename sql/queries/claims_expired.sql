SELECT id, claim_token, lease_until FROM jobs
WHERE state = 'processing' AND lease_until <= ?1
ORDER BY created_at, id
