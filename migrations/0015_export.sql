-- Exports: everything of a person in one archive, whose bytes stay the same for a day, so that a download
-- that broke off goes on where it was.

CREATE TABLE export (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    -- composing, ready, ended
    state TEXT NOT NULL,
    -- Of the whole archive; NULL until it is composed.
    size_bytes BIGINT,
    files BIGINT,
    -- SHA-256 of its manifest, which names every other file with its own.
    manifest_sha256 TEXT,
    created_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL
);
CREATE INDEX export_by_person ON export (person_id, id);
CREATE INDEX export_by_end ON export (ends_ms);

-- What the archive says in words, sealed under a key of its own, in pieces. Pictures are not copied.
CREATE TABLE export_part (
    export_id TEXT NOT NULL REFERENCES export (id) ON DELETE CASCADE,
    -- Which file; 0 is the plan of the archive.
    entry BIGINT NOT NULL,
    -- At which of its bytes this piece begins.
    starts BIGINT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (export_id, entry, starts)
);

-- The checksum that a ZIP wants before a file's bytes; NULL until somebody asks.
ALTER TABLE picture ADD COLUMN crc32 BIGINT;
-- Under which edition of the statement of rights it was drawn.
ALTER TABLE picture ADD COLUMN rights TEXT NOT NULL DEFAULT '1';
