INSERT INTO jobs (
    id, kind, origin, source_path, source_track, spool_hash, spool_raw, home, file_name, task,
    source_lang, target_lang, preset, options, priority, dedup_key, live_key, result_rank, output,
    state, stage, progress, created_at, retry_count, max_retries, not_before
) VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
    ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17, ?18,
    'queued', 'pending', 0.0, ?19, 0, ?20, 0
)
