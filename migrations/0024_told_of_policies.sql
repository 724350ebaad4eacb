-- Who was told of which version of the privacy notice, and said that they read it.
CREATE TABLE policy_notice (
    policy BIGINT NOT NULL REFERENCES policy (number),
    person_id TEXT NOT NULL REFERENCES person (id),
    created_ms BIGINT NOT NULL,
    -- NULL until they say so.
    acknowledged_ms BIGINT,
    PRIMARY KEY (policy, person_id)
);
CREATE INDEX policy_notice_by_person ON policy_notice (person_id);
