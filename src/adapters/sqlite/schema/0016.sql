-- What people note of a session: its number as they write it, and what it is for. Sealed.
CREATE TABLE session_note (
    session TEXT NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    note    BLOB NOT NULL
) STRICT, WITHOUT ROWID;
