-- Backups that were put back, and what may not be erased for a while because a law says so.

-- Each time that the house was put back from a backup. It opens again once the newest is done.
CREATE TABLE restoration (
    id TEXT PRIMARY KEY,
    -- replaying, done
    state TEXT NOT NULL,
    backup_id TEXT NOT NULL,
    backup_made_ms BIGINT NOT NULL,
    begun_ms BIGINT NOT NULL,
    -- What was erased again and what was voided, as JSON; NULL until it is done.
    found TEXT,
    ended_ms BIGINT
);

-- Something of somebody that is kept although they want it erased, or its time is over. It always ends.
CREATE TABLE legal_hold (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    -- account, orders, log
    class TEXT NOT NULL,
    -- Sealed by the person's key: why, and who answers for it.
    reason TEXT NOT NULL,
    approver TEXT NOT NULL,
    begins_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL,
    -- From when on the person is told of it.
    told_from_ms BIGINT NOT NULL,
    released_ms BIGINT
);
CREATE INDEX legal_hold_by_person ON legal_hold (person_id, id);

-- The second receipt of an erasure, of what a hold kept back.
ALTER TABLE erasure ADD COLUMN supplement TEXT;
