-- Credits: a double-entry ledger in integers. 1 credit is the smallest unit.

-- What a person has. It moves together with an entry of the ledger and never falls below zero. The
-- upper bound is the largest integer that every reader of JSON takes, far below an overflow.
CREATE TABLE balance (
    person_id TEXT PRIMARY KEY REFERENCES person (id),
    available BIGINT NOT NULL CHECK (available BETWEEN 0 AND 9007199254740991),
    held BIGINT NOT NULL CHECK (held BETWEEN 0 AND 9007199254740991),
    -- Entries so far: the ordinal of the newest.
    entries BIGINT NOT NULL CHECK (entries >= 0)
);

-- The ledger. Rows are added and never changed. Each row is one whole movement between a person's
-- two accounts (available, held) and the house's three (issued, revenue, expired): what leaves one
-- arrives in others, so the five changes sum to zero. No foreign keys: books outlive what they
-- tell of.
CREATE TABLE entry (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL,
    -- Counts a person's entries, from 1.
    ordinal BIGINT NOT NULL CHECK (ordinal > 0),
    -- grant, hold, capture, void, expiry
    kind TEXT NOT NULL,
    -- Why, once and for all: a cause that comes again is refused.
    cause TEXT NOT NULL UNIQUE,
    job_id TEXT,
    grant_id TEXT,
    available BIGINT NOT NULL,
    held BIGINT NOT NULL,
    issued BIGINT NOT NULL,
    revenue BIGINT NOT NULL,
    expired BIGINT NOT NULL,
    available_after BIGINT NOT NULL CHECK (available_after >= 0),
    held_after BIGINT NOT NULL CHECK (held_after >= 0),
    created_ms BIGINT NOT NULL,
    UNIQUE (person_id, ordinal),
    CHECK (available + held + issued + revenue + expired = 0)
);

-- Credits that came together, and what is left of them: neither spent, nor held, nor expired.
CREATE TABLE credit_grant (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    credits BIGINT NOT NULL CHECK (credits > 0),
    remaining BIGINT NOT NULL CHECK (remaining BETWEEN 0 AND credits),
    expired BIGINT NOT NULL CHECK (expired BETWEEN 0 AND credits - remaining),
    -- welcome, operator
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- The operator who gave it; absent where the program or its shell did.
    granted_by TEXT,
    created_ms BIGINT NOT NULL,
    ends_ms BIGINT
);

CREATE INDEX credit_grant_open ON credit_grant (person_id, ends_ms, id) WHERE remaining > 0;
CREATE INDEX credit_grant_ending ON credit_grant (ends_ms) WHERE remaining > 0;

-- What a job may cost at most, put aside until the job is over.
CREATE TABLE hold (
    job_id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL,
    -- The API key that ordered, where one did.
    key_id TEXT,
    model TEXT NOT NULL,
    pictures BIGINT NOT NULL CHECK (pictures > 0),
    -- Credits for one picture.
    price BIGINT NOT NULL CHECK (price > 0),
    quoted BIGINT NOT NULL CHECK (quoted = pictures * price),
    -- Absent until the job is over; then what arrived and what it cost.
    delivered BIGINT CHECK (delivered BETWEEN 0 AND pictures),
    charged BIGINT CHECK (charged BETWEEN 0 AND quoted),
    created_ms BIGINT NOT NULL,
    settled_ms BIGINT
);

CREATE INDEX hold_by_person ON hold (person_id, job_id);

-- From which grants an open hold took its credits, so that what comes back ends when it would have.
CREATE TABLE hold_part (
    job_id TEXT NOT NULL REFERENCES hold (job_id),
    grant_id TEXT NOT NULL REFERENCES credit_grant (id),
    credits BIGINT NOT NULL CHECK (credits > 0),
    PRIMARY KEY (job_id, grant_id)
);

-- What was spent with an API key: captured, or held now.
CREATE TABLE key_spending (
    key_id TEXT PRIMARY KEY,
    spent BIGINT NOT NULL CHECK (spent BETWEEN 0 AND 9007199254740991)
);
