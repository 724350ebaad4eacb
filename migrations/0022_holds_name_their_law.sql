-- The law or the order that wants something kept, sealed. Holds of before have named it in their reason.
ALTER TABLE legal_hold ADD COLUMN law TEXT;
