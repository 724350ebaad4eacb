-- Versions of the privacy notice: rows are added and never changed, and each names the one before.
CREATE TABLE policy (
    -- From 1, without a gap.
    number BIGINT PRIMARY KEY,
    published_ms BIGINT NOT NULL,
    -- From when on it holds.
    effective_ms BIGINT NOT NULL,
    -- 1 where people had to be told long before.
    is_material BIGINT NOT NULL,
    -- What is other than in the version before, as JSON.
    changes TEXT NOT NULL,
    -- What it was made from: controller, entries, purposes, recipients, as canonical JSON.
    declaration TEXT NOT NULL,
    -- The notice as text and as a part of a page, as they are served.
    body TEXT NOT NULL,
    page TEXT NOT NULL,
    -- SHA-256 of each of them.
    declaration_sha256 TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    page_sha256 TEXT NOT NULL,
    -- SHA-256 of all of the above, in the version before; empty in the first.
    before_sha256 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    -- What the log says of it.
    log_id TEXT NOT NULL
);
