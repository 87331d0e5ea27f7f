-- What people note of a session: its number as they write it, and what it is for. Sealed.
CREATE TABLE session_note (
    session TEXT NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    note    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The tenants of whom it was told that too many of their messages fail, and not yet that they don't any more.
CREATE TABLE alert (
    tenant TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
