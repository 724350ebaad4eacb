-- Passwords tried in bulk, so that each attack is told of once, whichever process sees it.
CREATE TABLE attack (
    -- 'house', the person whose account is tried, or 'nobody' where no account has the address.
    subject TEXT PRIMARY KEY,
    began_ms BIGINT NOT NULL,
    -- When something was last refused, to the minute.
    seen_ms BIGINT NOT NULL
);
