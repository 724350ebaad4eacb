-- The key store: a database of its own, which never goes into a backup of the main one. Every key in
-- it is wrapped: a person's and the house's by a key-encryption key (KEK) that is not in here, what
-- belongs to an object by its person's key. Whoever deletes a row deletes what it opened, in every copy.

-- The key-encryption keys, named by what they are, not by what they say. The newest wraps.
CREATE TABLE epoch (
    id TEXT PRIMARY KEY,
    ordinal BIGINT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL
);

-- One row: this store.
CREATE TABLE store (
    id BIGINT PRIMARY KEY,
    -- By which the main database knows that it is the right one.
    name TEXT NOT NULL,
    -- Grows whenever keys are shredded, so that other processes forget what they remember.
    shreds BIGINT NOT NULL
);

-- Keys of the house: for looking up without reading, for what has no person yet, for signing.
CREATE TABLE house_key (
    purpose TEXT PRIMARY KEY,
    epoch TEXT NOT NULL REFERENCES epoch (id),
    wrapped TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE person_key (
    person_id TEXT PRIMARY KEY,
    epoch TEXT NOT NULL REFERENCES epoch (id),
    wrapped TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX person_key_by_epoch ON person_key (epoch);

-- What belongs to one order, or to one portrait: so that an order costs one row, the key of its words
-- stands beside those of its pictures, with dots between; where one was shredded, nothing stands.
CREATE TABLE object_key (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person_key (person_id),
    wrapped TEXT NOT NULL
);
CREATE INDEX object_key_by_person ON object_key (person_id);
