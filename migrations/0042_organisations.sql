-- People who draw together. The organisation has a row of its own in person, and with it a key, orders, pictures and
-- credits; it has no account, and nobody signs in as one.
CREATE TABLE organisation (
    person_id TEXT PRIMARY KEY REFERENCES person (id),
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Who is in it. The rows go with the organisation, and with the person.
CREATE TABLE organisation_member (
    organisation_id TEXT NOT NULL REFERENCES organisation (person_id) ON DELETE CASCADE,
    person_id TEXT NOT NULL REFERENCES person (id),
    -- owner, member
    role TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, person_id)
);
CREATE INDEX organisation_member_by_person ON organisation_member (person_id);

-- A link that lets one person in, once.
CREATE TABLE organisation_invitation (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisation (person_id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL
);
CREATE INDEX organisation_invitation_by_organisation ON organisation_invitation (organisation_id);

-- For which organisation somebody acts in this browser; it counts as long as they are in it.
ALTER TABLE session ADD COLUMN acts_for TEXT REFERENCES organisation (person_id) ON DELETE SET NULL;
CREATE INDEX session_by_organisation ON session (acts_for) WHERE acts_for IS NOT NULL;
