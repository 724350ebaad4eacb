-- Breaches of what protects people's data (Art. 33(5) GDPR): what happened, what was done, and whom it concerns.
CREATE TABLE breach (
    id TEXT PRIMARY KEY,
    -- In words that name nobody.
    what TEXT NOT NULL,
    -- confidentiality, integrity, availability, with spaces between
    nature TEXT NOT NULL,
    classes TEXT NOT NULL,
    consequences TEXT NOT NULL,
    measures TEXT NOT NULL,
    -- none, risk, high
    risk TEXT NOT NULL,
    began_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    noticed_ms BIGINT NOT NULL,
    -- Until when the authority is told.
    due_ms BIGINT NOT NULL,
    entered_ms BIGINT NOT NULL,
    -- As a keyed hash; NULL in the shell.
    entered_by TEXT,
    reported_ms BIGINT,
    -- Why it was reported late.
    late TEXT,
    alarmed_ms BIGINT,
    closed_ms BIGINT
);

-- Whom a breach concerns, and when each of them was told.
CREATE TABLE breach_person (
    breach_id TEXT NOT NULL REFERENCES breach (id),
    person_id TEXT NOT NULL REFERENCES person (id),
    -- everyone, kept, signed_in, taken_along, looked_at
    found_by TEXT NOT NULL,
    found_ms BIGINT NOT NULL,
    told_ms BIGINT,
    PRIMARY KEY (breach_id, person_id)
);
CREATE INDEX breach_person_by_person ON breach_person (person_id);
