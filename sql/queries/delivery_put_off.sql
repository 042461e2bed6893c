UPDATE deliveries SET due = ?3 WHERE id = ?1 AND tries = ?2
