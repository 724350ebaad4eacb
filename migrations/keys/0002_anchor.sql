-- The newest checkpoint of the log, apart from the database that holds the log: who turns that one back
-- is found out. One row.
CREATE TABLE anchor (
    id BIGINT PRIMARY KEY,
    size BIGINT NOT NULL,
    root TEXT NOT NULL
);
