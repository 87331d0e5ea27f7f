-- How far the pieces of a file reach, and what those of a tenant take together. Whoever removes files gives back what they took,
-- by a trigger.
ALTER TABLE media ADD COLUMN kept bigint NOT NULL DEFAULT 0;
UPDATE media SET kept = size WHERE state = 'ready';

CREATE TABLE media_use (
    tenant text   COLLATE "C" PRIMARY KEY,
    bytes  bigint NOT NULL
);
INSERT INTO media_use (tenant, bytes) SELECT tenant, sum(kept) FROM media GROUP BY tenant;

CREATE FUNCTION media_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE media_use SET bytes = bytes - freed.taken
    FROM (SELECT tenant, sum(kept)::bigint AS taken FROM gone GROUP BY tenant HAVING sum(kept) > 0) AS freed
    WHERE media_use.tenant = freed.tenant;
    RETURN NULL;
END
$$;
CREATE TRIGGER media_gone AFTER DELETE ON media
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION media_gone();
