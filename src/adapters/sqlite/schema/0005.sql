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
