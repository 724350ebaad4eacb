-- A log that can forget: a Merkle tree whose leaves say that something happened, and rows that say what.

CREATE TABLE log_entry (
    id TEXT PRIMARY KEY,
    -- Its place in the tree, from 0; NULL until it gets one.
    position BIGINT UNIQUE,
    kind TEXT NOT NULL,
    -- SHA-256 of the payload, in hexadecimal.
    commitment TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- NULL where it concerns nobody, or whom it concerned was forgotten.
    person_id TEXT,
    -- A random salt and what happened, as JSON; sealed by the person's key. NULL once it was forgotten.
    payload TEXT
);
CREATE INDEX log_entry_waiting ON log_entry (id) WHERE position IS NULL;
CREATE INDEX log_entry_by_person ON log_entry (person_id, id) WHERE person_id IS NOT NULL;
CREATE INDEX log_entry_of_house ON log_entry (kind, id) WHERE person_id IS NULL;

-- Hashes of whole subtrees: of the 2^level leaves from number * 2^level on.
CREATE TABLE log_node (
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (level, number)
);

-- One row: how many leaves there are. Whoever adds some locks it.
CREATE TABLE log_head (
    id BIGINT PRIMARY KEY,
    size BIGINT NOT NULL
);
INSERT INTO log_head (id, size) VALUES (1, 0);

-- What the house has signed of its log.
CREATE TABLE log_checkpoint (
    size BIGINT PRIMARY KEY,
    root TEXT NOT NULL,
    note TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- What an audit found, as it was signed; the newest is shown to everybody.
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    created_ms BIGINT NOT NULL,
    report TEXT NOT NULL
);
