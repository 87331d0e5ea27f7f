-- Moments are milliseconds since the Unix epoch. What is called "sealed" is encrypted and bound to its place.

CREATE TABLE session (
    id         TEXT    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    wanted     TEXT    NOT NULL,
    epoch      INTEGER NOT NULL,
    owner      TEXT,
    pace       INTEGER NOT NULL,
    state      TEXT    NOT NULL, -- a copy for whoever looks into the file; the truth is in status
    status     BLOB    NOT NULL, -- sealed: it has the QR code and the number
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_of_tenant ON session (tenant, id);

-- The last epoch of every deleted session: a session created anew under the same id goes on from there, or the owner
-- of the deleted one could write to it.
CREATE TABLE retired_session (
    id    TEXT    NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL
) STRICT;

-- Keys are bytes, so that their order and their prefixes are those of the bytes, whatever stands in them.
CREATE TABLE state (
    session    TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    area       TEXT    NOT NULL,
    key        BLOB    NOT NULL,
    value      BLOB    NOT NULL, -- sealed
    expires_at INTEGER,
    PRIMARY KEY (session, area, key)
) STRICT;
CREATE INDEX state_expiry ON state (session, area, expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE ledger (
    tenant     TEXT    NOT NULL,
    job        BLOB    NOT NULL,
    version    INTEGER NOT NULL,
    session    TEXT,
    message_id TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    open       INTEGER NOT NULL,
    entry      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, job)
) STRICT;
CREATE INDEX ledger_message ON ledger (session, message_id);
CREATE INDEX ledger_age ON ledger (updated_at) WHERE open = 0;

CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB    NOT NULL UNIQUE,
    tenant   TEXT    NOT NULL,
    session  TEXT,
    kind     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    body     BLOB    NOT NULL, -- sealed
    added_at INTEGER NOT NULL
) STRICT;

CREATE TABLE queue (
    target TEXT NOT NULL PRIMARY KEY
) STRICT;

-- A job without due_at is ready, one with it is parked until then. Who works on it is known in memory only: one
-- process has the file, and when it ends nobody works on anything.
CREATE TABLE job (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL, -- random; part of the place that the body is bound to
    target  TEXT    NOT NULL REFERENCES queue (target) ON DELETE CASCADE,
    lane    TEXT    NOT NULL,
    due_at  INTEGER,
    headers TEXT    NOT NULL,
    body    BLOB    NOT NULL  -- sealed
) STRICT;
CREATE INDEX job_order ON job (target, lane, due_at, seq);

CREATE TABLE dead_job (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL,
    target  TEXT    NOT NULL,
    lane    TEXT    NOT NULL,
    headers TEXT    NOT NULL,
    body    BLOB    NOT NULL, -- sealed
    reason  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL,
    tenant  TEXT    NOT NULL,
    session TEXT,
    kind    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    body    BLOB    NOT NULL  -- sealed
) STRICT;
