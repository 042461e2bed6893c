DELETE FROM marks WHERE until < ?1
