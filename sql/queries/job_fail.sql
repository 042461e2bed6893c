UPDATE jobs SET
    state = 'failed', eta_ms = NULL, completed_at = ?3, error = ?4, live_key = NULL,
    processing_ms = COALESCE(processing_ms, 0) + ?3 - claimed_at,
    claim_token = NULL, lease_until = NULL
WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
