-- Which picture a decision is about, where it is agreed to picture by picture; empty where it is about the account.
ALTER TABLE consent ADD COLUMN picture_id TEXT;
CREATE INDEX consent_of_picture ON consent (picture_id, purpose, number) WHERE picture_id IS NOT NULL;
CREATE INDEX consent_by_picture ON consent (purpose, id) WHERE picture_id IS NOT NULL;
