-- The operator's terms, in versions: rows are added and never changed, and each names the one before.
CREATE TABLE terms (
    -- From 1, without a gap.
    number BIGINT PRIMARY KEY,
    published_ms BIGINT NOT NULL,
    -- From when on it holds.
    effective_ms BIGINT NOT NULL,
    -- 0 where only the wording differs, and nobody is asked.
    needs_acceptance BIGINT NOT NULL,
    -- What is other than before, in the operator's words; may be empty.
    summary TEXT NOT NULL,
    -- The text as the operator wrote it.
    body TEXT NOT NULL,
    -- SHA-256 of the text; of all of the above, in the version before (empty in the first) and in this one.
    body_sha256 TEXT NOT NULL,
    before_sha256 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    -- What the log says of it.
    log_id TEXT NOT NULL
);

-- Who accepted which version. It is a contract, and no consent to anything.
CREATE TABLE terms_acceptance (
    person_id TEXT NOT NULL REFERENCES person (id),
    terms BIGINT NOT NULL REFERENCES terms (number),
    -- Of the text that was shown.
    text_sha256 TEXT NOT NULL,
    -- How it came: sign_up, session
    means TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- What the log of its person says of it.
    log_id TEXT NOT NULL,
    PRIMARY KEY (person_id, terms)
);

-- Who was told of which version before its day.
CREATE TABLE terms_notice (
    terms BIGINT NOT NULL REFERENCES terms (number),
    person_id TEXT NOT NULL REFERENCES person (id),
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (terms, person_id)
);
CREATE INDEX terms_notice_by_person ON terms_notice (person_id);
