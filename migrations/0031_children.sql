-- An account of somebody who is younger than the house lets in (mode minor): locked until it is erased.
-- When it is erased.
ALTER TABLE restriction ADD COLUMN erase_ms BIGINT;
-- What its person says against that, once; sealed by the person's key.
ALTER TABLE restriction ADD COLUMN contest TEXT;
ALTER TABLE restriction ADD COLUMN contested_ms BIGINT;
CREATE INDEX restriction_erased ON restriction (erase_ms) WHERE erase_ms IS NOT NULL;
