-- How much the house is used, day by day: sums of at least ten people each, and nothing of any of them.
CREATE TABLE visit_count (
    -- The beginning of the day, in UTC.
    day_ms BIGINT NOT NULL,
    -- visits, page, source, country, browser, system, device, model, sign_up
    kind TEXT NOT NULL,
    -- The page, the host, the family; other where each of several had fewer than ten people.
    name TEXT NOT NULL,
    -- Page views, pictures, sign-ups.
    times BIGINT NOT NULL,
    people BIGINT NOT NULL,
    PRIMARY KEY (day_ms, kind, name)
);
