-- The tenants' templates. texts is sealed: the texts of all locales, and which one is the default.
CREATE TABLE template (
    tenant     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    texts      BLOB    NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

-- Who wants no bulk messages. mark is a keyed fingerprint of the number for its tenant, the same each time; entry is sealed
-- and has the number, who put it there and why.
CREATE TABLE suppression (
    tenant TEXT NOT NULL,
    mark   BLOB NOT NULL,
    entry  BLOB NOT NULL,
    PRIMARY KEY (tenant, mark)
) STRICT, WITHOUT ROWID;

-- What was done to a number's entry, for ever; change is sealed.
CREATE TABLE suppression_change (
    seq    INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    mark   BLOB NOT NULL,
    change BLOB NOT NULL
) STRICT;
CREATE INDEX suppression_change_of ON suppression_change (tenant, mark, seq);

-- The fingerprint of a fixed text, made with the key that the marks are made with. Under another key every look into the list
-- would find nothing; with this row it is an error.
CREATE TABLE suppression_key (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    mark BLOB NOT NULL
) STRICT;

-- Whom a session has written bulk messages to: a word to stop them counts from these. recipient is a keyed fingerprint.
CREATE TABLE bulk_recipient (
    session   TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    recipient BLOB NOT NULL,
    PRIMARY KEY (session, recipient)
) STRICT, WITHOUT ROWID;
