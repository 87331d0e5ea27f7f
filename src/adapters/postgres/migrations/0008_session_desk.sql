-- What people call a session, what it is found by, and how often somebody asked for a new connection.
ALTER TABLE session
    ADD COLUMN name     text,
    ADD COLUMN labels   jsonb  NOT NULL DEFAULT '{}',
    ADD COLUMN restarts bigint NOT NULL DEFAULT 0;

-- The session of a tenant that sends where none is named.
CREATE TABLE default_session (
    tenant  text COLLATE "C" PRIMARY KEY,
    session text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE
);
CREATE INDEX default_session_of ON default_session (session);
