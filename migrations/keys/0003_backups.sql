-- What a backup of the keys could bring back: which keys were shredded lately, so that they are shredded
-- again, and until when such backups are taken.

-- What was forgotten, by keyed hashes that nobody can turn round; for as long as a backup of the keys may
-- still hold its key.
CREATE TABLE tombstone (
    name TEXT PRIMARY KEY,
    created_ms BIGINT NOT NULL
);
CREATE INDEX tombstone_by_age ON tombstone (created_ms);

-- Backups of the keys that were made.
CREATE TABLE key_backup (
    id TEXT PRIMARY KEY,
    made_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL
);

-- Each time that the main database was put back: how far the log had come, and how far it was put back.
CREATE TABLE restoration (
    id TEXT PRIMARY KEY,
    -- begun, anchored, done
    state TEXT NOT NULL,
    -- Signed by the house, as JSON.
    note TEXT NOT NULL,
    begun_ms BIGINT NOT NULL
);
