-- What was tried, how often, and when it may be tried again. These were facts, which nothing ever removed.

CREATE TABLE marks (
    name  TEXT    NOT NULL PRIMARY KEY,
    tries INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;

INSERT INTO marks (name, tries, until)
SELECT name, json_extract(value, '$.tries'), json_extract(value, '$.until')
FROM facts WHERE name LIKE 'push:%' AND json_valid(value);

DELETE FROM facts WHERE name LIKE 'push:%';
