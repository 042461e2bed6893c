DELETE FROM failed_keys WHERE until < ?1
