-- Where a session's limits differ from the settings.
ALTER TABLE session ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';
