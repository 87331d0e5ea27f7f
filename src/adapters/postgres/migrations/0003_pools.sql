-- Whose a pool is. A name is the tenant's who used it first, because the queues of a pool are named after it alone.
CREATE TABLE pool (
    id     text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL
);

-- The pool that a session belongs to.
ALTER TABLE session ADD COLUMN pool text COLLATE "C" REFERENCES pool (id);
