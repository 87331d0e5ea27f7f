-- The callers' own words that messages are found by: a keyed fingerprint of each name with its value, of the first write. NULL
-- where there are none, and in rows of before, which are found by the rest: their entries are sealed.
ALTER TABLE job ADD COLUMN words uuid[];
CREATE INDEX job_of_words ON job USING gin (words) WHERE words IS NOT NULL;
