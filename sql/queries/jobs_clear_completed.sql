DELETE FROM jobs WHERE state = 'completed'
