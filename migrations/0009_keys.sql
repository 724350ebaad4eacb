-- What is sealed here is opened by keys that lie in a store of their own.

-- One row: the key store that belongs to this database.
CREATE TABLE key_store (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL
);

-- How far what earlier builds wrote in the clear has been sealed, place by place.
CREATE TABLE sealing (
    place TEXT PRIMARY KEY,
    -- The last row that was looked at; empty before the first.
    after TEXT NOT NULL,
    is_done BIGINT NOT NULL
);

-- Keys that go because what they open was deleted, written in the transaction that deletes it.
CREATE TABLE shredding (
    object_id TEXT NOT NULL,
    -- The place of the key in its row; -1 for the whole row.
    slot BIGINT NOT NULL,
    PRIMARY KEY (object_id, slot)
);
