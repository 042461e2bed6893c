UPDATE deliveries SET tries = tries + 1, due = ?3 WHERE id = ?1 AND tries = ?2
