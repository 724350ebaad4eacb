-- News by e-mail: what went out, and to whom, so that nobody gets the same twice.
CREATE TABLE news (
    id TEXT PRIMARY KEY,
    -- SHA-256 of its subject and its words: the same news is one, however often it is begun.
    digest TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    -- When the last letter of it was written; NULL until then.
    ended_ms BIGINT
);

CREATE TABLE news_letter (
    news_id TEXT NOT NULL REFERENCES news (id),
    person_id TEXT NOT NULL REFERENCES person (id),
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (news_id, person_id)
);
CREATE INDEX news_letter_by_person ON news_letter (person_id);
