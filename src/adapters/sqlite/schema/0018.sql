-- Where a session's limits differ from the settings.
ALTER TABLE session ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
