SELECT * FROM jobs WHERE live_key = ?1
