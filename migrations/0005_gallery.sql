-- What a person finds again: favourites, kinds, models; and variations of a picture.

-- Seeds of the pictures that this job varies, eldest first, as JSON.
ALTER TABLE job ADD COLUMN ancestors TEXT NOT NULL DEFAULT '[]';
-- 1 where its person marked it.
ALTER TABLE picture ADD COLUMN favourite BIGINT NOT NULL DEFAULT 0;

CREATE INDEX picture_favourite ON picture (person_id, id) WHERE favourite = 1;
CREATE INDEX job_by_model ON job (person_id, model);
