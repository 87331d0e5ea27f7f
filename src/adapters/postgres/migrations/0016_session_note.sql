-- What people note of a session: its number as they write it, and what it is for. note is sealed.
CREATE TABLE session_note (
    session text COLLATE "C" PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    note    bytea NOT NULL
);
