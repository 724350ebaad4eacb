-- People with accounts, how they prove who they are, and the letters written to them. Tokens are
-- kept as hashes, so that who reads this can't use them.

-- person, support, moderator, privacy_officer, operator
ALTER TABLE person ADD COLUMN role TEXT NOT NULL DEFAULT 'person';

CREATE TABLE account (
    person_id TEXT PRIMARY KEY REFERENCES person (id),
    address TEXT NOT NULL,
    -- In lower case, so that one mailbox is one account.
    address_key TEXT NOT NULL UNIQUE,
    -- Argon2id; NULL until one is chosen.
    password_hash TEXT,
    username TEXT,
    username_key TEXT UNIQUE,
    display_name TEXT,
    -- Key of the picture on the shelf.
    portrait TEXT,
    -- 1 where the person said to be at least as old as the threshold; nothing else of it is kept.
    of_age BIGINT,
    age_threshold BIGINT,
    created_ms BIGINT NOT NULL
);

-- A browser in which somebody signed in.
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    token_hash TEXT NOT NULL UNIQUE,
    -- As in 'Firefox on Linux', so that the person knows it again.
    family TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- To the minute.
    used_ms BIGINT NOT NULL,
    -- When the person last proved who they are.
    confirmed_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL
);

CREATE INDEX session_by_person ON session (person_id, id);

CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    name TEXT NOT NULL,
    -- Its first letters, to tell it from others.
    beginning TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    -- What it may spend in all; NULL for no limit of its own.
    limit_credits BIGINT,
    created_ms BIGINT NOT NULL,
    -- To the minute.
    used_ms BIGINT,
    revoked_ms BIGINT
);

CREATE INDEX api_key_by_person ON api_key (person_id, id);

-- A browser in which a person signed in before, known by a cookie and not by what it is.
CREATE TABLE device (
    token_hash TEXT NOT NULL,
    person_id TEXT NOT NULL REFERENCES person (id),
    created_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    PRIMARY KEY (token_hash, person_id)
);

CREATE INDEX device_by_person ON device (person_id);

-- What a link or a form may do once, for whoever holds its token.
CREATE TABLE proof (
    token_hash TEXT PRIMARY KEY,
    -- sign_up, reset, address, vouch, second_factor, passkey
    kind TEXT NOT NULL,
    -- NULL where nobody has the address: the row is written all the same, to take as long.
    person_id TEXT REFERENCES person (id),
    address TEXT,
    password_hash TEXT,
    of_age BIGINT,
    age_threshold BIGINT,
    -- What else is needed, by kind, as JSON.
    detail TEXT,
    tries BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL
);

CREATE INDEX proof_by_person ON proof (person_id, kind);
CREATE INDEX proof_by_end ON proof (ends_ms);

-- One-time codes of an authenticator.
CREATE TABLE totp (
    person_id TEXT PRIMARY KEY REFERENCES person (id),
    secret TEXT NOT NULL,
    -- NULL until a first code has shown that the authenticator has the secret.
    confirmed_ms BIGINT,
    -- The time step of the last code, which is taken once.
    last_step BIGINT NOT NULL
);

CREATE TABLE recovery_code (
    person_id TEXT NOT NULL REFERENCES person (id),
    code_hash TEXT NOT NULL,
    PRIMARY KEY (person_id, code_hash)
);

CREATE TABLE passkey (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    name TEXT NOT NULL,
    -- base64url
    credential_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    sign_count BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    used_ms BIGINT
);

CREATE INDEX passkey_by_person ON passkey (person_id, id);

-- Mail, written in the transaction that causes it and sent by a loop.
CREATE TABLE letter (
    id TEXT PRIMARY KEY,
    person_id TEXT REFERENCES person (id),
    -- NULL where nobody has the address: the row is written all the same, to take as long.
    address TEXT,
    kind TEXT NOT NULL,
    -- What the text needs, as JSON; emptied once it was sent.
    fields TEXT NOT NULL,
    -- waiting, sent, failed
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- Why the last attempt failed, without any address.
    trouble TEXT,
    created_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    ended_ms BIGINT
);

CREATE INDEX letter_by_state ON letter (state, due_ms, id);
