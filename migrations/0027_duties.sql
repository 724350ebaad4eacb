-- When and for what somebody who runs the house may look at what is kept of others: one row each time.
CREATE TABLE duty (
    id TEXT PRIMARY KEY,
    -- Of whoever looks.
    person_id TEXT NOT NULL REFERENCES person (id),
    -- What for, by its name.
    purpose TEXT NOT NULL,
    -- The role that they had.
    role TEXT NOT NULL,
    -- What for, in their words; sealed.
    reason TEXT NOT NULL,
    asked_ms BIGINT NOT NULL,
    lasts_ms BIGINT NOT NULL,
    -- NULL while somebody else has to agree.
    begun_ms BIGINT,
    -- Over then; where nobody agreed, until when they may.
    until_ms BIGINT NOT NULL,
    -- Who agreed, as a keyed hash; NULL where nobody had to.
    agreed_by TEXT,
    -- How many people were looked at.
    looked BIGINT NOT NULL,
    -- When others were told that it was unusually many.
    alarmed_ms BIGINT
);
CREATE INDEX duty_by_person ON duty (person_id, purpose, until_ms);
CREATE INDEX duty_by_time ON duty (until_ms);
