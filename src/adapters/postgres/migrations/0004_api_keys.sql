-- API keys. sessions is NULL where a key is good for all of its tenant's. hash is the SHA-256 of the key, which is random.
CREATE TABLE api_key (
    id         text COLLATE "C" PRIMARY KEY,
    tenant     text COLLATE "C" NOT NULL,
    label      text   NOT NULL,
    hash       bytea  NOT NULL,
    scopes     text[] NOT NULL,
    sessions   text[],
    created_at bigint NOT NULL,
    until      bigint
);

CREATE INDEX api_key_of_tenant ON api_key (tenant, id);
