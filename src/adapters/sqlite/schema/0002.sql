-- What a sender's limits have to remember beside the pace, as JSON without anybody's number; NULL in rows of before, which
-- have their pace and nothing else. The truth is there, pace repeats a part of it.
ALTER TABLE session ADD COLUMN spent TEXT;

-- Whom a session has written to. recipient is a keyed fingerprint of the number (see Keyring::fingerprint).
CREATE TABLE met (
    session   TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    recipient BLOB NOT NULL,
    PRIMARY KEY (session, recipient)
) STRICT, WITHOUT ROWID;
