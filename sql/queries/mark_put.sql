INSERT INTO marks (name, tries, until) VALUES (?1, ?2, ?3)
