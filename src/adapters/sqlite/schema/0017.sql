-- When a message was sent, came to a phone, was read, ended: what entry holds, to count by. Counting goes over the rows that were
-- written since the first of its moments (ledger_age).
ALTER TABLE ledger ADD COLUMN sent_at INTEGER;
ALTER TABLE ledger ADD COLUMN delivered_at INTEGER;
ALTER TABLE ledger ADD COLUMN read_at INTEGER;
ALTER TABLE ledger ADD COLUMN ended_at INTEGER;
UPDATE ledger SET sent_at = entry ->> 'sent_at', delivered_at = entry ->> 'delivered_at', read_at = entry ->> 'read_at',
    ended_at = entry ->> 'ended_at'
WHERE open = 0;
-- What waits, with its oldest.
CREATE INDEX ledger_waiting ON ledger (tenant, session, lane, enqueued_at) WHERE state IN ('queued', 'delayed');
