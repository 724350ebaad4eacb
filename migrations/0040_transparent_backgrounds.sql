-- Whether what is behind the things is left out of its pictures: 0 or 1.
ALTER TABLE job ADD COLUMN transparent BIGINT NOT NULL DEFAULT 0;
