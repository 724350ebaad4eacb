-- When the house went to whom that version of the notice names; the entry in the person's log is of the same moment.
ALTER TABLE policy_notice ADD COLUMN handed_ms BIGINT;
