SELECT * FROM jobs WHERE state = ?3 ORDER BY created_at DESC, id DESC LIMIT ?1 OFFSET ?2
