-- Verifications. recipient is a keyed fingerprint of the number (see Keyring::fingerprint), status and the moments repeat
-- what record holds. The code is sealed apart from it and goes with the verification's end.
CREATE TABLE verification (
    tenant    TEXT    NOT NULL,
    id        BLOB    NOT NULL,
    version   INTEGER NOT NULL,
    recipient BLOB    NOT NULL,
    status    TEXT    NOT NULL,
    due_at    INTEGER,
    ended_at  INTEGER,
    record    BLOB    NOT NULL, -- sealed
    code      BLOB,             -- sealed
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX verification_open ON verification (tenant, recipient) WHERE ended_at IS NULL;
CREATE INDEX verification_to ON verification (tenant, recipient, id);
CREATE INDEX verification_due ON verification (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX verification_age ON verification (ended_at) WHERE ended_at IS NOT NULL;

-- Counters of limits: subject is a keyed fingerprint of the tenant and of what is counted, start the moment at which the
-- window began.
CREATE TABLE verification_count (
    subject BLOB    PRIMARY KEY,
    start   INTEGER NOT NULL,
    spent   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX verification_count_age ON verification_count (start);

-- Prefixes of numbers and how many of their codes came back. id is a keyed fingerprint.
CREATE TABLE verification_prefix (
    tenant        TEXT    NOT NULL,
    id            BLOB    NOT NULL,
    prefix        BLOB    NOT NULL, -- sealed
    since         INTEGER NOT NULL,
    begun         INTEGER NOT NULL,
    approved      INTEGER NOT NULL,
    lost          INTEGER NOT NULL,
    blocked_until INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX verification_prefix_age ON verification_prefix (since);
