-- Verifications. recipient is a keyed fingerprint of the number, not sealed; status and the moments repeat what record holds.
-- The code is sealed apart from it and goes with the verification's end.
CREATE TABLE verification (
    tenant    text COLLATE "C" NOT NULL,
    id        uuid             NOT NULL,
    version   bigint           NOT NULL,
    recipient bytea            NOT NULL,
    status    text             NOT NULL,
    due_at    bigint,
    ended_at  bigint,
    record    bytea            NOT NULL,
    code      bytea,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX verification_open ON verification (tenant, recipient) WHERE ended_at IS NULL;
CREATE INDEX verification_to ON verification (tenant, recipient, id);
CREATE INDEX verification_due ON verification (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX verification_age ON verification (ended_at) WHERE ended_at IS NOT NULL;

-- Counters of limits: subject is a keyed fingerprint of the tenant and of what is counted, start the moment at which the
-- window began.
CREATE TABLE verification_count (
    subject bytea   PRIMARY KEY,
    start   bigint  NOT NULL,
    spent   bigint  NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX verification_count_age ON verification_count (start);

-- Prefixes of numbers and how many of their codes came back. id is a keyed fingerprint; prefix is sealed.
CREATE TABLE verification_prefix (
    tenant        text COLLATE "C" NOT NULL,
    id            bytea            NOT NULL,
    prefix        bytea            NOT NULL,
    since         bigint           NOT NULL,
    begun         bigint           NOT NULL,
    approved      bigint           NOT NULL,
    lost          bigint           NOT NULL,
    blocked_until bigint,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 50);
CREATE INDEX verification_prefix_age ON verification_prefix (since);
