-- {fleet} is the schema of the fleet under test, {witness} a new one for what is noted. A connection that names itself in
-- chaos.writer is judged; the gateway's, the relay's and the tests' don't.
CREATE SCHEMA {witness};

-- Every claim; a session's last one says whose it is. place: in the order of the row's lock, so it is the order of the claims.
CREATE TABLE {witness}.claim (
    place   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session text COLLATE "C" NOT NULL,
    epoch   bigint           NOT NULL,
    writer  text
);
CREATE INDEX claim_of_session ON {witness}.claim (session, place);

-- Every row that was written for a session, by whom, and whose the session was.
CREATE TABLE {witness}.written (
    what    text        NOT NULL,
    session text        NOT NULL,
    writer  text        NOT NULL,
    owner   text,
    epoch   bigint,
    late    boolean     NOT NULL GENERATED ALWAYS AS (owner IS DISTINCT FROM writer) STORED,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION {witness}.writer() RETURNS text STABLE LANGUAGE sql AS
$$ SELECT NULLIF(current_setting('chaos.writer', true), '') $$;

CREATE FUNCTION {witness}.claimed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {witness}.claim (session, epoch, writer) VALUES (NEW.id, NEW.epoch, {witness}.writer());
    RETURN NULL;
END $$;

-- It looks with a snapshot of its own, so it sees what was committed after the write began; and it takes no lock, so it
-- keeps nobody from doing what must not be done.
CREATE FUNCTION {witness}.judge(what text, whose text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last {witness}.claim;
BEGIN
    IF whose IS NOT NULL THEN
        SELECT * INTO last FROM {witness}.claim c WHERE c.session = whose ORDER BY c.place DESC LIMIT 1;
        INSERT INTO {witness}.written (what, session, writer, owner, epoch)
        VALUES (what, whose, {witness}.writer(), last.writer, last.epoch);
    END IF;
END $$;

CREATE FUNCTION {witness}.wrote() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'session' THEN
        PERFORM {witness}.judge(TG_TABLE_NAME, NEW.id);
    ELSIF TG_OP = 'INSERT' THEN
        PERFORM {witness}.judge(TG_TABLE_NAME, NEW.session);
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM {witness}.judge(TG_TABLE_NAME, OLD.session);
    ELSE
        -- A job that its session gives back to its pool names none any more.
        PERFORM {witness}.judge(TG_TABLE_NAME, COALESCE(NEW.session, OLD.session));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER chaos_claimed AFTER UPDATE ON {fleet}.session
    FOR EACH ROW WHEN (NEW.epoch <> OLD.epoch) EXECUTE FUNCTION {witness}.claimed();

-- Deferred to the commit: a write that waits for something between its fence and its end is judged by what is true then.
CREATE CONSTRAINT TRIGGER chaos_wrote AFTER UPDATE ON {fleet}.session DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.epoch = OLD.epoch AND {witness}.writer() IS NOT NULL) EXECUTE FUNCTION {witness}.wrote();
CREATE CONSTRAINT TRIGGER chaos_wrote AFTER INSERT OR UPDATE OR DELETE ON {fleet}.state DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN ({witness}.writer() IS NOT NULL) EXECUTE FUNCTION {witness}.wrote();
CREATE CONSTRAINT TRIGGER chaos_wrote AFTER INSERT OR UPDATE ON {fleet}.job DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN ({witness}.writer() IS NOT NULL) EXECUTE FUNCTION {witness}.wrote();
CREATE CONSTRAINT TRIGGER chaos_wrote AFTER INSERT OR UPDATE ON {fleet}.session_pace DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN ({witness}.writer() IS NOT NULL) EXECUTE FUNCTION {witness}.wrote();
CREATE CONSTRAINT TRIGGER chaos_wrote AFTER INSERT ON {fleet}.met DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN ({witness}.writer() IS NOT NULL) EXECUTE FUNCTION {witness}.wrote();
