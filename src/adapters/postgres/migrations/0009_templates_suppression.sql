-- The tenants' templates. texts is sealed: the texts of all locales, and which one is the default.
CREATE TABLE template (
    tenant     text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    created_at bigint           NOT NULL,
    updated_at bigint           NOT NULL,
    texts      bytea            NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Who wants no bulk messages. mark is a keyed fingerprint of the number for its tenant, the same each time; entry is sealed
-- and has the number, who put it there and why.
CREATE TABLE suppression (
    tenant text COLLATE "C" NOT NULL,
    mark   bytea            NOT NULL,
    entry  bytea            NOT NULL,
    PRIMARY KEY (tenant, mark)
);

-- What was done to a number's entry, for ever; change is sealed.
CREATE TABLE suppression_change (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    mark   bytea            NOT NULL,
    change bytea            NOT NULL
);
CREATE INDEX suppression_change_of ON suppression_change (tenant, mark, seq);

-- The fingerprint of a fixed text, made with the key that the marks are made with. Under another key every look into the list
-- would find nothing; with this row it is an error.
CREATE TABLE suppression_key (
    id   integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    mark bytea   NOT NULL
);

-- Whom a session has written bulk messages to: a word to stop them counts from these. recipient is a keyed fingerprint.
CREATE TABLE bulk_recipient (
    session   text COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    recipient bytea            NOT NULL,
    PRIMARY KEY (session, recipient)
);
