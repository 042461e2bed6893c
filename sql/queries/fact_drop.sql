DELETE FROM facts WHERE name = ?1
