-- Of a child's account: why it is known, and in which mode it was before, to which it goes back where that was
-- wrong.
ALTER TABLE restriction ADD COLUMN known TEXT;
ALTER TABLE restriction ADD COLUMN former TEXT;
