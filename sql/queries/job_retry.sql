UPDATE jobs SET
    state = 'queued', stage = 'pending', progress = 0.0, eta_ms = NULL, live_key = dedup_key,
    started_at = NULL, completed_at = NULL, error = NULL, retry_count = 0, not_before = 0,
    claim_node = NULL, claim_device = NULL, claimed_at = NULL, processing_ms = NULL
WHERE id = ?1 AND state = ?2
