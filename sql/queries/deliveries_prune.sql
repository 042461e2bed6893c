DELETE FROM deliveries WHERE since < ?1
