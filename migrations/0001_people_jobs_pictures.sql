-- One text for SQLite and Postgres: TEXT ids, BIGINT integers and milliseconds, JSON as TEXT.

CREATE TABLE person (
    id TEXT PRIMARY KEY,
    created_ms BIGINT NOT NULL
);

CREATE TABLE job (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES person (id),
    -- queued, drawing, done, failed, cancelled
    state TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    negative_prompt TEXT,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    count BIGINT NOT NULL,
    steps BIGINT NOT NULL,
    guidance DOUBLE PRECISION NOT NULL,
    seed BIGINT NOT NULL,
    previews BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    unknown_words TEXT NOT NULL,
    error_code TEXT,
    error_message TEXT,
    created_ms BIGINT NOT NULL,
    started_ms BIGINT,
    finished_ms BIGINT
);

CREATE INDEX job_by_state ON job (state, created_ms, id);
CREATE INDEX job_by_person ON job (person_id, id);

CREATE TABLE picture (
    id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES job (id),
    person_id TEXT NOT NULL REFERENCES person (id),
    -- Place within its job, from 0.
    ordinal BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    -- Key of the PNG on the shelf.
    blob TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (job_id, ordinal)
);

CREATE INDEX picture_by_person ON picture (person_id, id);
