-- What people call a session, what it is found by (a JSON map of texts), and how often somebody asked for a new connection.
ALTER TABLE session ADD COLUMN name TEXT;
ALTER TABLE session ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
ALTER TABLE session ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;

-- The session of a tenant that sends where none is named.
CREATE TABLE default_session (
    tenant  TEXT PRIMARY KEY,
    session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX default_session_of ON default_session (session);
