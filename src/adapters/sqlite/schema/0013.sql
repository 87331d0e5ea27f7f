-- How far the pieces of a file reach, and what those of a tenant take together. The sum is kept by triggers, whoever changes a
-- file, so that one look tells whether there is room.
ALTER TABLE media ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
UPDATE media SET kept = size WHERE state = 'ready';

CREATE TABLE media_use (
    tenant TEXT    NOT NULL PRIMARY KEY,
    bytes  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO media_use (tenant, bytes) SELECT tenant, sum(kept) FROM media GROUP BY tenant;

CREATE TRIGGER media_entered AFTER INSERT ON media BEGIN
    INSERT INTO media_use (tenant, bytes) VALUES (new.tenant, 0) ON CONFLICT (tenant) DO NOTHING;
END;
CREATE TRIGGER media_grown AFTER UPDATE OF kept ON media BEGIN
    UPDATE media_use SET bytes = bytes + new.kept - old.kept WHERE tenant = new.tenant;
END;
CREATE TRIGGER media_gone AFTER DELETE ON media BEGIN
    UPDATE media_use SET bytes = bytes - old.kept WHERE tenant = old.tenant;
END;
