-- Requests that wait for the answer now. Where nobody does, what is drawn is not charged.
ALTER TABLE repeat ADD COLUMN present BIGINT NOT NULL DEFAULT 1;
