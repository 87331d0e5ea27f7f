-- When a message was sent, came to a phone, was read, ended: what entry holds, to count by. Counting goes over the rows that were
-- written since the first of its moments (job_to_forget). Rows of before have none of them, since their entries are sealed; they
-- are counted as accepted only.
ALTER TABLE job ADD COLUMN sent_at bigint;
ALTER TABLE job ADD COLUMN delivered_at bigint;
ALTER TABLE job ADD COLUMN read_at bigint;
ALTER TABLE job ADD COLUMN ended_at bigint;
-- What waits, with its oldest.
CREATE INDEX job_waiting ON job (tenant, session, lane, enqueued_at) WHERE state IN ('queued', 'delayed');
