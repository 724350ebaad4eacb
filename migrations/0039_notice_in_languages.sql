-- What a version says in other languages than English: per language its text and its part of a page, as JSON,
-- and the checksum of that, which its own covers. Empty in versions from before.
ALTER TABLE policy ADD COLUMN translations TEXT NOT NULL DEFAULT '';
ALTER TABLE policy ADD COLUMN translations_sha256 TEXT NOT NULL DEFAULT '';
