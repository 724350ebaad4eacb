-- What an authenticator says of a passkey, and which sessions were begun with one.

-- 1 where it may be on more than one device; said once, when it is made.
ALTER TABLE passkey ADD COLUMN may_be_backed_up BIGINT NOT NULL DEFAULT 0;
-- 1 where it was, when it was last used.
ALTER TABLE passkey ADD COLUMN is_backed_up BIGINT NOT NULL DEFAULT 0;
-- How its authenticator can be reached, in the browser's words, with spaces between.
ALTER TABLE passkey ADD COLUMN transports TEXT NOT NULL DEFAULT '';

-- NULL where the session was begun with a password.
ALTER TABLE session ADD COLUMN passkey_id TEXT;
CREATE INDEX session_by_passkey ON session (passkey_id) WHERE passkey_id IS NOT NULL;
