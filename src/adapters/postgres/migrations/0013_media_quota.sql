-- How far the pieces of a file reach, and what those of a tenant take together.
ALTER TABLE media ADD COLUMN kept bigint NOT NULL DEFAULT 0;
UPDATE media SET kept = size WHERE state = 'ready';

CREATE TABLE media_use (
    tenant text   COLLATE "C" PRIMARY KEY,
    bytes  bigint NOT NULL
);
INSERT INTO media_use (tenant, bytes) SELECT tenant, sum(kept) FROM media GROUP BY tenant;
