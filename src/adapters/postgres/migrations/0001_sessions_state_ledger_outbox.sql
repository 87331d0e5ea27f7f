-- The store of the fleet. Names are ASCII and compared bytewise (collation "C"), so that the order of a listing and
-- the order in which rows are locked is that of the program. Moments are milliseconds since 1970, UTC, and come from
-- the program's clock, but for those that say when a row was written: they are the server's, the only one that all
-- writers share. Every bytea but state.key is sealed by the program (AES-256-GCM) and bound to its row.

-- epoch counts the claims; a write under an older one is refused. state repeats what status holds, for operators.
CREATE TABLE session (
    id         text COLLATE "C" PRIMARY KEY,
    tenant     text COLLATE "C" NOT NULL,
    wanted     text             NOT NULL DEFAULT 'running',
    epoch      bigint           NOT NULL DEFAULT 0,
    owner      text,
    state      text             NOT NULL,
    status     bytea            NOT NULL,
    created_at bigint           NOT NULL
);
CREATE INDEX session_of_tenant ON session (tenant, id);

-- The last epochs of deleted sessions: an id that is used again goes on from there, so that a late writer of the old
-- session is refused.
CREATE TABLE retired_session (
    id    text COLLATE "C" PRIMARY KEY,
    epoch bigint NOT NULL
);

-- The pacer's state has a table of its own, because it is written with every intent: writers hold a share lock on
-- session, and two of them that both went on to update the row would wait for each other. Room is left in the pages
-- for updates in place. pace is an unsigned number of nanoseconds, its bits kept in a signed one.
CREATE TABLE session_pace (
    session text COLLATE "C" PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    pace    bigint NOT NULL
) WITH (fillfactor = 50);

-- Signal state. key is the text's UTF-8 bytes: it may hold what others chose (message ids), even a zero byte, which
-- text can't.
CREATE TABLE state (
    session    text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    area       text COLLATE "C" NOT NULL,
    key        bytea            NOT NULL,
    value      bytea            NOT NULL,
    expires_at bigint,
    PRIMARY KEY (session, area, key)
) WITH (fillfactor = 80);
CREATE INDEX state_expiry ON state (session, area, expires_at) WHERE expires_at IS NOT NULL;

-- The ledger. version, session, message_id and state repeat what entry holds, to find and to guard it by.
CREATE TABLE job (
    tenant     text COLLATE "C" NOT NULL,
    job        uuid             NOT NULL,
    version    bigint           NOT NULL,
    session    text COLLATE "C",
    message_id text COLLATE "C" NOT NULL,
    state      text             NOT NULL,
    written_at bigint           NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000),
    entry      bytea            NOT NULL,
    PRIMARY KEY (tenant, job)
) WITH (fillfactor = 80);
CREATE INDEX job_of_message ON job (session, message_id);
CREATE INDEX job_to_forget ON job (written_at) WHERE state NOT IN ('queued', 'delayed', 'sending');

-- Events that wait for the broker. at is when it happened, which may be another clock's word (a receipt's).
CREATE TABLE outbox (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       uuid             NOT NULL UNIQUE,
    tenant   text COLLATE "C" NOT NULL,
    session  text COLLATE "C",
    kind     text             NOT NULL,
    at       bigint           NOT NULL,
    body     bytea            NOT NULL,
    added_at bigint           NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
