-- Files that messages carry, in pieces. detail and bytes are sealed, so they are not compressed.
CREATE TABLE media (
    id         uuid   PRIMARY KEY,
    tenant     text   COLLATE "C" NOT NULL,
    session    text   COLLATE "C",
    state      text   NOT NULL,
    size       bigint NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    detail     bytea  NOT NULL
);

CREATE INDEX media_awaited ON media (session, created_at) WHERE state = 'awaited';
CREATE INDEX media_expiry ON media (expires_at);

CREATE TABLE media_piece (
    media uuid    NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    at    integer NOT NULL,
    bytes bytea   NOT NULL,
    PRIMARY KEY (media, at)
);

ALTER TABLE media_piece ALTER COLUMN bytes SET STORAGE EXTERNAL;
