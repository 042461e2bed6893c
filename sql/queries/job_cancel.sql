UPDATE jobs SET
    state = 'cancelled', eta_ms = NULL, completed_at = ?3, live_key = NULL,
    processing_ms = CASE WHEN claim_token IS NULL THEN processing_ms
                         ELSE COALESCE(processing_ms, 0) + ?3 - claimed_at END,
    claim_token = NULL, lease_until = NULL
WHERE id = ?1 AND state = ?2
