SELECT state, COUNT(*) AS jobs FROM jobs GROUP BY state
