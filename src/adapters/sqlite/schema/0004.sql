-- API keys. scopes and sessions are JSON lists; sessions is NULL where a key is good for all of its tenant's. hash is the
-- SHA-256 of the key, which is random.
CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    scopes     TEXT    NOT NULL,
    sessions   TEXT,
    created_at INTEGER NOT NULL,
    until      INTEGER
) STRICT, WITHOUT ROWID;
