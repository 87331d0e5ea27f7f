-- The recent events in the order in which they came here. A reader resumes at a position; none appears before one that was
-- seen, because there is one writer.
CREATE TABLE event_log (
    position  INTEGER PRIMARY KEY AUTOINCREMENT,
    id        BLOB    NOT NULL UNIQUE,
    tenant    TEXT    NOT NULL,
    session   TEXT,
    kind      TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    logged_at INTEGER NOT NULL,
    body      BLOB    NOT NULL  -- sealed
) STRICT;
CREATE INDEX event_log_of_tenant ON event_log (tenant, position);
CREATE INDEX event_log_age ON event_log (logged_at, position);

-- Where tenants want to hear of events. cursor is how far the log was looked through for it.
CREATE TABLE webhook (
    id            TEXT    PRIMARY KEY,
    tenant        TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    settings      BLOB    NOT NULL, -- sealed: it has the address and the secrets
    disabled      TEXT,             -- why it is told nothing; NULL: it is
    disabled_at   INTEGER,
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    rest_until    INTEGER,
    cursor        INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_of_tenant ON webhook (tenant, id);

-- Events on their way to webhooks. due_at is NULL once it has come to its end; position is NULL for tests. Whoever tries it
-- has it until claimed_until.
CREATE TABLE webhook_delivery (
    id            BLOB    PRIMARY KEY,
    webhook       TEXT    NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    event         BLOB    NOT NULL,
    kind          TEXT    NOT NULL,
    position      INTEGER,
    created_at    INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    due_at        INTEGER,
    ended_at      INTEGER,
    claim         BLOB,
    claimed_until INTEGER,
    attempts      TEXT    NOT NULL  -- JSON, without bodies
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_age ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
