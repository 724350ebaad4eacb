-- What people write to the support about.
CREATE TABLE ticket (
    id TEXT PRIMARY KEY,
    -- NULL where whoever wrote has no account.
    person_id TEXT REFERENCES person (id),
    -- drawing, credits, account, fault, feedback, other
    kind TEXT NOT NULL,
    -- waiting (for an answer), answered, closed
    state TEXT NOT NULL,
    -- Where answers go, where there is no account; sealed.
    address TEXT,
    -- Sealed.
    subject TEXT NOT NULL,
    opened_ms BIGINT NOT NULL,
    -- Of the newest message.
    changed_ms BIGINT NOT NULL,
    closed_ms BIGINT
);
CREATE INDEX ticket_by_person ON ticket (person_id, id) WHERE person_id IS NOT NULL;
CREATE INDEX ticket_of_nobody ON ticket (id) WHERE person_id IS NULL;
CREATE INDEX ticket_open ON ticket (changed_ms) WHERE closed_ms IS NULL;
CREATE INDEX ticket_closed ON ticket (closed_ms) WHERE closed_ms IS NOT NULL;

CREATE TABLE ticket_message (
    id TEXT PRIMARY KEY,
    ticket_id TEXT NOT NULL REFERENCES ticket (id) ON DELETE CASCADE,
    -- As of its ticket.
    person_id TEXT REFERENCES person (id),
    -- Who wrote it: person, house
    side TEXT NOT NULL,
    -- Sealed.
    words TEXT NOT NULL,
    written_ms BIGINT NOT NULL
);
CREATE INDEX ticket_message_by_ticket ON ticket_message (ticket_id, id);
CREATE INDEX ticket_message_by_person ON ticket_message (person_id) WHERE person_id IS NOT NULL;

-- Pictures that were sent along, until the ticket is closed.
CREATE TABLE ticket_file (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL REFERENCES ticket_message (id) ON DELETE CASCADE,
    ticket_id TEXT NOT NULL REFERENCES ticket (id) ON DELETE CASCADE,
    -- As of its ticket.
    person_id TEXT REFERENCES person (id),
    -- A JPEG in base64; sealed.
    picture TEXT NOT NULL
);
CREATE INDEX ticket_file_by_ticket ON ticket_file (ticket_id, id);
CREATE INDEX ticket_file_by_message ON ticket_file (message_id);
CREATE INDEX ticket_file_by_person ON ticket_file (person_id) WHERE person_id IS NOT NULL;
