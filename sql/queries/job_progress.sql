UPDATE jobs SET stage = ?3, progress = ?4, eta_ms = ?5, source_lang = COALESCE(?6, source_lang)
WHERE id = ?1 AND state = 'processing' AND claim_token = ?2
