-- The callers' own words that messages are found by.
CREATE TABLE ledger_metadata (
    tenant TEXT NOT NULL,
    job    BLOB NOT NULL,
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (tenant, job, key),
    FOREIGN KEY (tenant, job) REFERENCES ledger (tenant, job) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO ledger_metadata (tenant, job, key, value)
SELECT ledger.tenant, ledger.job, word.key, word.value FROM ledger, json_each(ledger.entry, '$.metadata') AS word;
CREATE INDEX ledger_by_metadata ON ledger_metadata (tenant, key, value, job);
