DELETE FROM marks WHERE name = ?1
