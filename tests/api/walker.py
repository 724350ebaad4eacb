"""Reads a house from the outside, with the key-encryption key in hand: every row that leads to a person,
opened. It shares nothing with the program: which rows are somebody's it finds by following ids through
all tables of the database, and what is sealed it opens by what docs/decisions/0015-keys.md says."""

import base64
import contextlib
import sqlite3

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from program import psql

# Columns of numbers with fractions, which the databases write differently.
FRACTIONS = {"guidance"}
# The house's own affairs, which hold ids of nobody in particular.
NOT_FOLLOWED = {"key_store", "sealing", "queue", "log_head", "log_node", "log_checkpoint", "audit"}


def unpadded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def opened(key, sealed, bound):
    nonce, rest = sealed[:12], sealed[12:]
    return AESGCM(key).decrypt(nonce, rest, bound.encode())


class Walker:
    def __init__(self, program):
        self.program = program
        keks = [line for line in (program.data / "kek").read_text().splitlines() if line and line[0] != "#"]
        self.kek = base64.b64decode(keks[-1])
        self.tables = self._tables()

    def _ask(self, statement, keys=False):
        if self.program.database:
            return psql(self.program.database + ("_keys" if keys else ""), statement)
        file = self.program.data / ("keys/keys.db" if keys else "pinhole.db")
        with contextlib.closing(sqlite3.connect(file)) as connection:
            return [tuple(str(one) for one in row) for row in connection.execute(statement)]

    def _tables(self):
        if self.program.database:
            statement = ("SELECT table_name, column_name FROM information_schema.columns "
                         "WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position")
        else:
            statement = ("SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
                         "WHERE m.type = 'table' ORDER BY m.name, c.cid")
        tables = {}
        for table, column in self._ask(statement):
            if not table.startswith(("_sqlx", "sqlite_")) and table not in NOT_FOLLOWED:
                tables.setdefault(table, []).append(column)
        return tables

    def rows(self, table):
        """Every row as text by column, None where there is nothing."""
        columns = self.tables[table]
        if self.program.database:
            hexed = "COALESCE(encode(convert_to({0}::TEXT, 'UTF8'), 'hex'), '-') || ';'"
        else:
            hexed = "CASE WHEN {0} IS NULL THEN '-' ELSE hex(CAST({0} AS TEXT)) END || ';'"
        statement = f"SELECT {', '.join(hexed.format(column) for column in columns)} FROM {table}"
        for values in self._ask(statement):
            values = [value.rstrip(";") for value in values]
            row = {
                column: None if value == "-" else bytes.fromhex(value).decode()
                for column, value in zip(columns, values)
            }
            for column in FRACTIONS & row.keys():
                # 3 on Postgres is 3.0 on SQLite.
                row[column] = row[column] and f"{float(row[column]):g}"
            yield row

    def of(self, person):
        """Rows by table: those that name the person, and those that hang on one of these by its id."""
        everything = {table: list(self.rows(table)) for table in self.tables}
        ids, found = {person}, {table: [] for table in everything}
        while True:
            grown = False
            for table, rows in everything.items():
                for row in list(rows):
                    if any(value in ids for column, value in row.items() if self._leads(table, column)):
                        rows.remove(row)
                        found[table].append(row)
                        ids |= {row[column] for column in ("id", "job_id") if row.get(column)}
                        grown = True
            if not grown:
                return found

    @staticmethod
    def _leads(table, column):
        # Who gave credits is not whose they are; what an erasure holds is in its own table.
        if (table, column) in {("credit_grant", "granted_by"), ("person", "erasure_id")}:
            return False
        return column == "id" or column == "subject" or column.endswith("_id")

    def keys_of(self, person):
        [(wrapped,)] = self._ask(f"SELECT wrapped FROM person_key WHERE person_id = '{person}'", keys=True)
        own = opened(self.kek, unpadded(wrapped), f"person_key|{person}")
        objects = {}
        statement = f"SELECT id, wrapped FROM object_key WHERE person_id = '{person}'"
        for name, slots in self._ask(statement, keys=True):
            objects[name] = [
                opened(own, unpadded(slot), f"object_key|{name}|{number}|{person}") if slot else None
                for number, slot in enumerate(slots.split("."))
            ]
        return own, objects

    def opened_rows(self, person):
        """The same with everything that is sealed opened."""
        own, objects = self.keys_of(person)
        found = self.of(person)
        for table, rows in found.items():
            if table == "export_part":
                continue
            first = self.tables[table][0]
            for row in rows:
                name = row[first]
                key = objects[name][0] if table == "job" else own
                for column, value in row.items():
                    if value and value.startswith("\x01"):
                        bound = f"{table}|{column}|{name}|{person}"
                        row[column] = opened(key, unpadded(value[1:]), bound).decode()
        return found

    def picture(self, person, row):
        """The bytes of a picture's file, opened."""
        _, objects = self.keys_of(person)
        stored = (self.program.data / "blobs" / row["blob"]).read_bytes()
        assert stored[:4] == b"PHS1"
        key = objects[row["job_id"]][1 + int(row["ordinal"])]
        return opened(key, stored[4:], f"picture|file|{row['id']}|{person}")
