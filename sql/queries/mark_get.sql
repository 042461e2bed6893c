SELECT tries, until FROM marks WHERE name = ?1
