-- What people note of a session: its number as they write it, and what it is for. note is sealed.
CREATE TABLE session_note (
    session text COLLATE "C" PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    note    bytea NOT NULL
);

-- The tenants of whom it was told that too many of their messages fail, and not yet that they don't any more.
CREATE TABLE alert (
    tenant text COLLATE "C" PRIMARY KEY
);
