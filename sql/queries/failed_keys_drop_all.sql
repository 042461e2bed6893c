DELETE FROM failed_keys
