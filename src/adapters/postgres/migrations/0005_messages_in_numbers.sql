-- What messages are found by. mark is a keyed fingerprint of the recipient's number, not sealed: the same each time. It is
-- of the first write, like lane and batch; rows of before have none of them and are found by the rest. enqueued_at is the
-- entry's; of rows of before it is the moment of their last write, since their entries are sealed.
ALTER TABLE job ADD COLUMN lane text COLLATE "C";
ALTER TABLE job ADD COLUMN mark bytea;
ALTER TABLE job ADD COLUMN batch uuid;
ALTER TABLE job ADD COLUMN enqueued_at bigint;
UPDATE job SET enqueued_at = written_at;
-- A process of the version before, which does not know the column, still writes while the others are replaced.
ALTER TABLE job ALTER COLUMN enqueued_at SET DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000);
ALTER TABLE job ALTER COLUMN enqueued_at SET NOT NULL;
CREATE INDEX job_place ON job (tenant, enqueued_at, job);
CREATE INDEX job_of_recipient ON job (tenant, mark, enqueued_at, job) WHERE mark IS NOT NULL;
CREATE INDEX job_of_batch ON job (tenant, batch, enqueued_at, job) WHERE batch IS NOT NULL;

-- Requests that may be repeated. name is a hash of the caller's Idempotency-Key, request one of all that is asked for.
-- Without an answer the run named runner is at it until lease; seed is what its ids are made of. answer is sealed.
CREATE TABLE request (
    tenant  text COLLATE "C" NOT NULL,
    name    bytea  NOT NULL,
    request bytea  NOT NULL,
    runner  uuid   NOT NULL,
    seed    uuid   NOT NULL,
    lease   bigint NOT NULL,
    keep    bigint NOT NULL,
    answer  bytea,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX request_age ON request (keep);
