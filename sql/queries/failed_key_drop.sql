DELETE FROM failed_keys WHERE dedup_key = ?1
