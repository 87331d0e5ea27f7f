-- Users of the admin page, and their sign-ins. password is a hash with its salt; mark is the SHA-256 of what the browser shows,
-- which is random.
CREATE TABLE admin_user (
    name       TEXT PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    password   TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE admin_sign_in (
    mark       BLOB PRIMARY KEY,
    user_name  TEXT    NOT NULL REFERENCES admin_user (name) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX admin_sign_in_of_user ON admin_sign_in (user_name);
CREATE INDEX admin_sign_in_until ON admin_sign_in (until);
