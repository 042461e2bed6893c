UPDATE jobs SET
    state = 'queued', stage = 'pending', eta_ms = NULL,
    processing_ms = COALESCE(processing_ms, 0) + ?3 - claimed_at,
    claim_token = NULL, claim_node = NULL, claim_device = NULL, claimed_at = NULL, lease_until = NULL
WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
