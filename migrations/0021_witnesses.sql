-- Who else has seen the log, and what they signed of it.
CREATE TABLE log_witness (
    name TEXT PRIMARY KEY,
    -- How many entries it saw when it signed last.
    size BIGINT NOT NULL,
    -- The checkpoint that it signed, with its signature; NULL while it never did.
    note TEXT,
    signed_ms BIGINT,
    -- Why it signs no more: forked, unknown or silent.
    trouble TEXT,
    -- Where it saw more than there is: how many entries.
    knows BIGINT,
    since_ms BIGINT NOT NULL
);

-- Logs of other houses, and what this house signed of them last.
CREATE TABLE log_watched (
    origin TEXT PRIMARY KEY,
    size BIGINT NOT NULL,
    root TEXT NOT NULL,
    seen_ms BIGINT NOT NULL
);
