-- Whose a pool is. A name is the tenant's who used it first, because the queues of a pool are named after it alone.
CREATE TABLE pool (
    id     TEXT PRIMARY KEY,
    tenant TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The pool that a session belongs to.
ALTER TABLE session ADD COLUMN pool TEXT REFERENCES pool (id);
