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
