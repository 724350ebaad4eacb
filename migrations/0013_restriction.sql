-- Restriction of processing: what is of this person is kept, and nothing else is done with it. A
-- person without a row here is not restricted.
CREATE TABLE restriction (
    person_id TEXT PRIMARY KEY REFERENCES person (id),
    -- restricted: as the person asked; held: as those who run the house decided.
    mode TEXT NOT NULL,
    -- Why, where it was not the person; sealed by the person's key.
    reason TEXT,
    since_ms BIGINT NOT NULL,
    -- From when on it is lifted, where the person has been told so.
    lift_ms BIGINT
);
