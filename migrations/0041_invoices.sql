-- What tax law asks to keep of an invoice, and nothing else. It outlives the account, so it has no foreign key.
CREATE TABLE invoice (
    id TEXT PRIMARY KEY,
    -- NULL where the account was erased.
    person_id TEXT,
    -- As the house numbers its invoices: each once.
    number TEXT NOT NULL UNIQUE,
    -- In the smallest unit of the currency; below zero where something was paid back.
    amount BIGINT NOT NULL,
    -- ISO 4217.
    currency TEXT NOT NULL,
    -- To which tax is due: ISO 3166-1 alpha-2.
    country TEXT NOT NULL,
    -- Sealed by the house: the VAT number, or what else proves which tax is due; the number under which whoever
    -- takes the money knows them.
    vat TEXT,
    customer TEXT,
    issued_ms BIGINT NOT NULL,
    -- The end of the year of its date, in UTC.
    year_ends_ms BIGINT NOT NULL
);
CREATE INDEX invoice_by_person ON invoice (person_id, id) WHERE person_id IS NOT NULL;
CREATE INDEX invoice_by_year ON invoice (year_ends_ms);
