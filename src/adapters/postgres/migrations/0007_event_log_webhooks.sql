-- The recent events in the order in which they came here. Whoever appends holds an advisory lock until its commit, so
-- positions become visible in their order. logged_at is the server's clock.
CREATE TABLE event_log (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        uuid             NOT NULL UNIQUE,
    tenant    text COLLATE "C" NOT NULL,
    session   text COLLATE "C",
    kind      text             NOT NULL,
    at        bigint           NOT NULL,
    logged_at bigint           NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000),
    body      bytea            NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX event_log_of_tenant ON event_log (tenant, position);
CREATE INDEX event_log_age ON event_log (logged_at, position);

-- Where tenants want to hear of events. settings is sealed: it has the address and the secrets. disabled says why it is told
-- nothing; cursor is how far the log was looked through for it.
CREATE TABLE webhook (
    id            text COLLATE "C" PRIMARY KEY,
    tenant        text COLLATE "C" NOT NULL,
    version       bigint           NOT NULL,
    settings      bytea            NOT NULL,
    disabled      text,
    disabled_at   bigint,
    failures      bigint           NOT NULL,
    failing_since bigint,
    rest_until    bigint,
    cursor        bigint           NOT NULL,
    created_at    bigint           NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX webhook_of_tenant ON webhook (tenant, id);

-- Events on their way to webhooks. due_at is NULL once it has come to its end; position is NULL for tests. Whoever tries it
-- has it until claimed_until. attempts is JSON, without bodies.
CREATE TABLE webhook_delivery (
    id            uuid PRIMARY KEY,
    webhook       text COLLATE "C" NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    event         uuid   NOT NULL,
    kind          text   NOT NULL,
    position      bigint,
    created_at    bigint NOT NULL,
    state         text   NOT NULL,
    due_at        bigint,
    ended_at      bigint,
    claim         uuid,
    claimed_until bigint,
    attempts      text   NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_age ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
