UPDATE jobs SET
    state = 'queued', stage = 'pending', eta_ms = NULL, error = ?4,
    retry_count = retry_count + 1, not_before = ?5,
    processing_ms = COALESCE(processing_ms, 0) + ?3 - claimed_at,
    claim_token = NULL, claim_node = NULL, claim_device = NULL, claimed_at = NULL, lease_until = NULL
WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
