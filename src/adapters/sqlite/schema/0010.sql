-- Files that messages carry, in pieces. detail and bytes are sealed.
CREATE TABLE media (
    id         BLOB PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    session    TEXT,
    state      TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    detail     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX media_awaited ON media (session, created_at) WHERE state = 'awaited';
CREATE INDEX media_expiry ON media (expires_at);

CREATE TABLE media_piece (
    media BLOB    NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    at    INTEGER NOT NULL,
    bytes BLOB    NOT NULL,
    PRIMARY KEY (media, at)
) STRICT;
