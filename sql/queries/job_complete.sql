UPDATE jobs SET
    state = 'completed', stage = 'finalizing', progress = 100.0, eta_ms = NULL, completed_at = ?3,
    error = NULL, live_key = NULL, result_key = dedup_key,
    processing_ms = COALESCE(processing_ms, 0) + ?3 - claimed_at,
    claim_token = NULL, lease_until = NULL,
    segments_count = ?4, model_used = ?5, device_used = ?6, output_path = ?7
WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
