SELECT * FROM deliveries ORDER BY due, since, id LIMIT ?1
