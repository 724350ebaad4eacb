-- What people agreed to beyond what they came for, and what they took back: one row each time that
-- they decided, never changed.
CREATE TABLE consent (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    purpose TEXT NOT NULL,
    -- From 1, for each person and purpose: the highest is what holds, whatever the clocks of
    -- different machines say.
    number BIGINT NOT NULL,
    -- asked (a letter asks whether it was them), given, withdrawn
    decision TEXT NOT NULL,
    -- Which text was shown, and SHA-256 of it.
    version BIGINT NOT NULL,
    text_sha256 TEXT NOT NULL,
    -- How it came: session, key, local, mailbox, letter, operator
    means TEXT NOT NULL,
    -- 1 where the request bore the signal Sec-GPC.
    signal BIGINT NOT NULL,
    -- What the log says of it.
    log_id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (person_id, purpose, number)
);

-- With which settings the studio begins, where its person chose some.
CREATE TABLE preference (
    person_id TEXT PRIMARY KEY REFERENCES person (id),
    model TEXT,
    width BIGINT,
    height BIGINT,
    count BIGINT,
    -- low, medium, high
    quality TEXT
);
