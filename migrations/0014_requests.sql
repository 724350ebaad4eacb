-- What people ask for by their rights: one row each, with its clock.
CREATE TABLE request (
    id TEXT PRIMARY KEY,
    -- NULL where whoever asks has no account.
    person_id TEXT REFERENCES person (id),
    -- access, correct, erase, restrict, object, portability, complaint, other
    kind TEXT NOT NULL,
    -- How it came: page, api, post
    channel TEXT NOT NULL,
    -- How it is known who asks: session, key, local, mailbox, operator, unproven
    identity TEXT NOT NULL,
    -- open, answered, refused, withdrawn
    state TEXT NOT NULL,
    -- Where the answer goes, where there is no account; sealed.
    address TEXT,
    -- What is asked for; sealed.
    words TEXT NOT NULL,
    -- Why it takes longer; sealed.
    delay TEXT,
    -- The answer, or the reasons of a refusal; sealed.
    answer TEXT,
    -- Of a refusal: the country whose authority hears complaints about it.
    country TEXT,
    received_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    extended_ms BIGINT,
    ended_ms BIGINT,
    -- When those who run the house were told that it is overdue.
    alarmed_ms BIGINT
);
CREATE INDEX request_by_person ON request (person_id, id) WHERE person_id IS NOT NULL;
CREATE INDEX request_of_nobody ON request (id) WHERE person_id IS NULL;
CREATE INDEX request_open ON request (due_ms) WHERE ended_ms IS NULL;

-- What somebody objects to (Art. 21 GDPR).
CREATE TABLE objection (
    person_id TEXT NOT NULL REFERENCES person (id),
    purpose TEXT NOT NULL,
    -- Where it is weighed. No foreign key: the request goes years after its answer, the objection stays.
    request_id TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (person_id, purpose)
);
