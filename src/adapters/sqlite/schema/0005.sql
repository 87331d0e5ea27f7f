-- What messages are found by. mark is a keyed fingerprint of the recipient's number (see Keyring::fingerprint), of the
-- first write; rows of before have none and are not found by number. enqueued_at is the entry's.
ALTER TABLE ledger ADD COLUMN lane TEXT;
ALTER TABLE ledger ADD COLUMN mark BLOB;
ALTER TABLE ledger ADD COLUMN batch BLOB;
ALTER TABLE ledger ADD COLUMN enqueued_at INTEGER;
UPDATE ledger SET lane = entry ->> 'lane', enqueued_at = entry ->> 'enqueued_at';
CREATE INDEX ledger_place ON ledger (tenant, enqueued_at, job);
CREATE INDEX ledger_recipient ON ledger (tenant, mark, enqueued_at, job) WHERE mark IS NOT NULL;
CREATE INDEX ledger_batch ON ledger (tenant, batch, enqueued_at, job) WHERE batch IS NOT NULL;

-- Requests that may be repeated. name is a hash of the caller's Idempotency-Key, request one of all that is asked for.
-- Without an answer the run named runner is at it until lease; seed is what its ids are made of.
CREATE TABLE request (
    tenant  TEXT    NOT NULL,
    name    BLOB    NOT NULL,
    request BLOB    NOT NULL,
    runner  BLOB    NOT NULL,
    seed    BLOB    NOT NULL,
    lease   INTEGER NOT NULL,
    keep    INTEGER NOT NULL,
    answer  BLOB,             -- sealed
    PRIMARY KEY (tenant, name)
) STRICT;
CREATE INDEX request_age ON request (keep);
