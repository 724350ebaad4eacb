-- Accounts that nobody uses any more: their people are told twice, then they are deleted.

-- When it was last used, to the day.
ALTER TABLE account ADD COLUMN active_ms BIGINT NOT NULL DEFAULT 0;
-- How many of the two letters were written, and when the last was.
ALTER TABLE account ADD COLUMN warned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN warned_ms BIGINT;

UPDATE account SET active_ms = COALESCE(
    (SELECT MAX(used_ms) FROM session WHERE session.person_id = account.person_id), created_ms);

CREATE INDEX account_by_use ON account (active_ms);
