-- Users of the admin page, and their sign-ins. password is a hash with its salt; mark is the SHA-256 of what the browser shows,
-- which is random. A new password is a new epoch of its user: sign-ins of an older one are not taken, also one that was entered
-- in the moment of the change.
CREATE TABLE admin_user (
    name       text COLLATE "C" PRIMARY KEY,
    tenant     text COLLATE "C" NOT NULL,
    role       text   NOT NULL,
    password   text   NOT NULL,
    epoch      bigint NOT NULL DEFAULT 1,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);

CREATE INDEX admin_user_of_tenant ON admin_user (tenant, name);

CREATE TABLE admin_sign_in (
    mark       bytea  PRIMARY KEY,
    user_name  text COLLATE "C" NOT NULL REFERENCES admin_user (name) ON DELETE CASCADE,
    epoch      bigint NOT NULL,
    created_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    until      bigint NOT NULL
);

CREATE INDEX admin_sign_in_of_user ON admin_sign_in (user_name);
CREATE INDEX admin_sign_in_until ON admin_sign_in (until);
