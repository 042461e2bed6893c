INSERT INTO facts (name, value) VALUES (?1, ?2)
