-- The files that came in for a session go with it.
CREATE INDEX media_of_session ON media (session) WHERE session IS NOT NULL;
