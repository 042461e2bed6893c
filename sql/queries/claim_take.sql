UPDATE jobs SET
    state = 'processing', claim_token = ?2, claim_node = ?3, claim_device = ?4, claimed_at = ?5,
    lease_until = ?6, started_at = COALESCE(started_at, ?5), error = NULL
WHERE id = ?1 AND state = 'queued'
