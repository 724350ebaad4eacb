-- What an authority asked for of somebody: one row for each request and person.
CREATE TABLE disclosure (
    id TEXT PRIMARY KEY,
    -- NULL where they are nobody here.
    person_id TEXT REFERENCES person (id),
    -- order, emergency
    path TEXT NOT NULL,
    -- received, approved, refused, disclosed
    state TEXT NOT NULL,
    -- Sealed: who asks, by which law or order, and the number that they gave it.
    authority TEXT NOT NULL,
    law TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- Sealed: which danger there is; why it was refused.
    emergency TEXT,
    refusal TEXT,
    -- The columns that may be handed out, as in account.address, with spaces between.
    fields TEXT NOT NULL,
    -- Of which time; NULL for no bound.
    from_ms BIGINT,
    until_ms BIGINT,
    received_ms BIGINT NOT NULL,
    -- Until when the person may not be told; NULL where nothing forbids it.
    gag_until_ms BIGINT,
    -- Who did what, as keyed hashes; NULL of who entered it in the shell.
    entered_by TEXT,
    first_by TEXT,
    second_by TEXT,
    refused_by TEXT,
    approved_ms BIGINT,
    ended_ms BIGINT,
    -- Entries of the log about what was handed out that the person does not see yet, with spaces between.
    sealed_leaves TEXT NOT NULL,
    told_ms BIGINT,
    -- Of an emergency: until when somebody else looks at it again, who did, and whether it was right.
    review_due_ms BIGINT,
    reviewed_by TEXT,
    reviewed_ms BIGINT,
    review TEXT,
    alarmed_ms BIGINT
);
CREATE INDEX disclosure_by_person ON disclosure (person_id, id);
CREATE INDEX disclosure_by_review ON disclosure (review_due_ms) WHERE reviewed_ms IS NULL;
CREATE INDEX disclosure_by_gag ON disclosure (gag_until_ms) WHERE told_ms IS NULL;
