"""Reads the tables that medal has written with the readers of others, and compares their rows: readers.py LAKE."""

import datetime
import decimal
import pathlib
import sys

import duckdb
import duckdb_extension_delta
from deltalake import DeltaTable, QueryBuilder

lake = pathlib.Path(sys.argv[1])
expected = {
    "events": (
        "select id, happened_at, kind, amount from t order by id",
        [(1, "2024-01-01 10:00:00", "click", 1.5), (2, "2024-01-02 11:30:00", "buy", 20.0), (3, "2024-01-02 12:00:00", None, None)],
    ),
    "typed": (
        "select id, day, amount, is_free from t order by id",
        [(1, "2024-01-01", "1.50", False), (2, "2024-01-02", "20.00", False), (3, "2024-01-02", None, True)],
    ),
    "by_kind": ("select id, kind, amount from t order by id", [(1, "click", 1.5), (2, "buy", 20.0), (3, None, None)]),
}


def plain(value):
    """Moments, days and amounts as text."""
    return str(value) if isinstance(value, (datetime.date, decimal.Decimal)) else value


def with_deltalake(path, query):
    rows = QueryBuilder().register("t", DeltaTable(str(path))).execute(query).read_all()
    return list(zip(*(column.to_pylist() for column in map(rows.column, range(rows.num_columns)))))


def with_duckdb(path, query):
    connection = duckdb.connect()
    folder = pathlib.Path(duckdb_extension_delta.__file__).parent
    connection.execute(f"load '{next(folder.rglob('delta.duckdb_extension'))}'")
    connection.execute(f"create view t as select * from delta_scan('{path}')")
    return connection.execute(query).fetchall()


def main():
    wrong = 0
    for reader, read in [("deltalake", with_deltalake), ("duckdb", with_duckdb)]:
        for table, (query, rows) in expected.items():
            found = [tuple(plain(value) for value in row) for row in read(lake / "main" / table, query)]
            print(reader, table, "the same" if found == rows else f"differs: {found}")
            wrong += found != rows
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
