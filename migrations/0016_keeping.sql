-- How long what is drawn is kept, where its person chose a time; NULL until they delete it.

ALTER TABLE person ADD COLUMN kept_ms BIGINT;
ALTER TABLE job ADD COLUMN kept_ms BIGINT;
-- 1 where its words are forgotten when it is over.
ALTER TABLE job ADD COLUMN private BIGINT NOT NULL DEFAULT 0;
ALTER TABLE picture ADD COLUMN ends_ms BIGINT;

CREATE INDEX picture_ending ON picture (ends_ms) WHERE ends_ms IS NOT NULL;
CREATE INDEX job_ending ON job (finished_ms) WHERE kept_ms IS NOT NULL;
