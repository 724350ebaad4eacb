-- The line of waiting jobs: who comes when, who draws, until when that is believed, and which
-- requests get the answer of an earlier one.

-- The first turn that this person's next job may have.
ALTER TABLE person ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
-- Lower tiers are served first; an operator's setting.
ALTER TABLE person ADD COLUMN tier BIGINT NOT NULL DEFAULT 0;
-- Orders of this person so far are spread, at the allowed pace, up to this moment.
ALTER TABLE person ADD COLUMN paced_until_ms BIGINT NOT NULL DEFAULT 0;

ALTER TABLE job ADD COLUMN tier BIGINT NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
-- Who draws it, and until when nobody else may.
ALTER TABLE job ADD COLUMN worker TEXT;
ALTER TABLE job ADD COLUMN lease_until_ms BIGINT;
-- How often it was claimed. Only the latest claim may record anything.
ALTER TABLE job ADD COLUMN claims BIGINT NOT NULL DEFAULT 0;

-- One row: the turn that is being served. Whoever claims locks it.
CREATE TABLE queue (
    id BIGINT PRIMARY KEY,
    turn BIGINT NOT NULL
);
INSERT INTO queue (id, turn) VALUES (1, 0);

-- Requests whose repetition gets the first's answer instead of another drawing.
CREATE TABLE repeat (
    job_id TEXT PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    person_id TEXT NOT NULL REFERENCES person (id),
    -- SHA-256 of the name that the client gave the request; null where it gave none.
    key_sha256 TEXT,
    body_sha256 TEXT NOT NULL,
    -- Requests that got this job's answer, or wait for it.
    asked BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    UNIQUE (person_id, key_sha256)
);
CREATE INDEX repeat_by_body ON repeat (person_id, body_sha256);
CREATE INDEX repeat_by_end ON repeat (expires_ms);

DROP INDEX job_by_state;
CREATE INDEX job_in_line ON job (tier, turn, created_ms, id) WHERE state = 'queued';
CREATE INDEX job_waiting ON job (person_id) WHERE state = 'queued';
CREATE INDEX job_drawing ON job (person_id, lease_until_ms) WHERE state = 'drawing';
CREATE INDEX job_done ON job (finished_ms) WHERE state = 'done';
