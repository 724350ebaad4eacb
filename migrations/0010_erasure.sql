-- Erasure: people, or what they ordered, are forgotten in steps that any process can take up again.

-- The erasure that holds this person: they order nothing until it is over.
ALTER TABLE person ADD COLUMN erasure_id TEXT;

-- Whoever is gone. The row of an erased person is deleted, so that the database itself refuses
-- whatever would be written for them later; what the books still say of their credits stands here.
INSERT INTO person (id, created_ms) VALUES ('per_00000000000000000000000000', 0);

-- One request to be forgotten, how far it is, and the receipt in the end.
CREATE TABLE erasure (
    id TEXT PRIMARY KEY,
    -- The number under which the books go on. No foreign key: the person's row goes.
    person_id TEXT NOT NULL,
    -- account, history
    scope TEXT NOT NULL,
    -- requested, verified, frozen, keys_shredded, rows_gone, blobs_gone, recipients_told,
    -- checkpointed, scanned, receipted
    state TEXT NOT NULL,
    -- How it was known who asks: session, key, local, operator
    asked_by TEXT NOT NULL,
    -- SHA-256 of the token by which the receipt is found.
    receipt_hash TEXT NOT NULL UNIQUE,
    -- What goes and what stays, made from the inventory and never changed, as JSON.
    plan TEXT NOT NULL,
    -- What was done so far, as JSON.
    done TEXT NOT NULL,
    -- Opens the marks of this erasure; gone when it is over.
    seal TEXT,
    -- The letter that tells the person, where one was written.
    letter_id TEXT,
    -- Signed, once it is over.
    receipt TEXT,
    -- Who works on it, and until when nobody else may.
    worker TEXT,
    lease_until_ms BIGINT,
    requested_ms BIGINT NOT NULL,
    ended_ms BIGINT
);
-- One at a time for each person.
CREATE UNIQUE INDEX erasure_open ON erasure (person_id) WHERE ended_ms IS NULL;
CREATE INDEX erasure_by_person ON erasure (person_id, id);

-- What the rest of the house is searched for in the end, and which files are to be deleted: sealed, so
-- that it is no trace itself, and gone when the erasure is over.
CREATE TABLE erasure_mark (
    erasure_id TEXT NOT NULL REFERENCES erasure (id),
    part BIGINT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (erasure_id, part)
);

-- So that finding one person's rows takes as long however many others there are.
CREATE INDEX letter_by_person ON letter (person_id, id);
CREATE INDEX letter_of_nobody ON letter (id) WHERE person_id IS NULL;
CREATE INDEX proof_of_nobody ON proof (token_hash) WHERE person_id IS NULL;
CREATE INDEX credit_grant_by_person ON credit_grant (person_id, id);
CREATE INDEX credit_grant_by_giver ON credit_grant (granted_by) WHERE granted_by IS NOT NULL;
CREATE INDEX person_operator ON person (id) WHERE role = 'operator';
CREATE INDEX letter_of_attack ON letter (id) WHERE kind = 'attack_on_account';
