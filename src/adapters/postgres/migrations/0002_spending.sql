-- What a sender's limits have to remember beside its pace, as JSON without anybody's number. NULL in rows of before, which
-- have their pace and nothing else; from now on the truth is there. turn repeats a part of it: a row is never replaced by
-- one with a lower turn.
ALTER TABLE session_pace ADD COLUMN turn bigint NOT NULL DEFAULT 0;
ALTER TABLE session_pace ADD COLUMN spent text;

-- Whom a session has written to. recipient is a keyed fingerprint of the number, not sealed: the same each time.
CREATE TABLE met (
    session   text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    recipient bytea            NOT NULL,
    PRIMARY KEY (session, recipient)
);
