"""Builds a lakehouse in an object store that this starts on loopback, with two writers at once, and ingests files of the
store into the lakehouse and into DuckDB: store.py MEDAL PROJECT.

The store is moto's S3, which refuses to write over an object where it is asked to (If-None-Match), as S3 does.
"""

import logging
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import boto3
import duckdb
import duckdb_extension_httpfs
from deltalake import DeltaTable
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}

PROFILE = """readers:
  target: store
  outputs:
    store:
      type: datafusion
      path: s3://lake/shop
      threads: 2
      storage_options: {endpoint: "{{ env_var('STORE') }}", allow_http: "true", region: us-east-1}
"""

MACROS = """
{% macro make() %}{% do run_query('create table t (i bigint)') %}{% endmacro %}
{% macro add() %}{% for i in range(10) %}{% do run_query('insert into t select ' ~ i) %}{% endfor %}{% endmacro %}
{% macro bump() %}{% for i in range(5) %}{% do run_query('update n set i = i + 1') %}{% endfor %}{% endmacro %}
{% macro number() %}{% do run_query('create table n as select 0 as i') %}{% endmacro %}
"""


SOURCES = """sources:
  - name: landing
    tables: [{name: orders, meta: {medal: {location: "s3://lake/landing/*.csv"}}}]
"""

# DuckDB reads a store with its extension httpfs, which comes from PyPI here.
DUCKDB = """name: readers
target: dev
targets:
  dev:
    type: duckdb
    path: shop.duckdb
    extensions: [httpfs]
    config_options: {extension_directory: "{{ env_var('EXTENSIONS') }}"}
    secrets: [{type: s3, key_id: key, secret: secret, region: us-east-1, endpoint: "{{ env_var('STORE')[7:] }}", url_style: path, use_ssl: false}]
"""

LANDED = "{{ config(materialized='ingest') }} select * from {{ source('landing', 'orders') }}"


class Store:
    """A lakehouse in a bucket."""

    def __init__(self, medal, project, address):
        self.medal, self.project = medal, project
        self.environment = {**os.environ, **KEYS, "STORE": address}
        self.options = {**KEYS, "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true"}

    def start(self, *arguments):
        command = [self.medal, *arguments, "--quiet"]
        return subprocess.Popen(command, cwd=self.project, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *commands):
        """Runs commands at the same time; all must end well."""
        for process in [self.start(*command) for command in commands]:
            told, _ = process.communicate(timeout=300)
            assert process.returncode == 0, told

    def table(self, name):
        return DeltaTable(f"s3://lake/shop/main/{name}", storage_options=self.options)

    def rows(self, name):
        return self.table(name).to_pyarrow_table().to_pylist()


def extensions(folder):
    """A folder of extensions as DuckDB looks for them, with httpfs."""
    platform = duckdb.sql("pragma platform").fetchone()[0]
    version = f"v{duckdb.__version__}"
    kept = folder / version / platform
    kept.mkdir(parents=True)
    package = pathlib.Path(duckdb_extension_httpfs.__file__).parent
    shutil.copy(package / "extensions" / version / "httpfs.duckdb_extension", kept)


def ingest_into_duckdb(medal, folder, address, land):
    """DuckDB ingests what lands in the store, each file once."""
    project = folder / "duckdb"
    (project / "models").mkdir(parents=True)
    (project / "medal.yml").write_text(DUCKDB)
    (project / "models" / "landing.yml").write_text(SOURCES)
    (project / "models" / "landed.sql").write_text(LANDED)
    extensions(folder / "extensions")
    store = Store(medal, project, address)
    store.environment["EXTENSIONS"] = str(folder / "extensions")
    store.run(["build"])
    land(Bucket="lake", Key="landing/c.csv", Body=b"id,name\n3,cleo\n")
    store.run(["build"])
    store.run(["build"])
    with duckdb.connect(project / "shop.duckdb", read_only=True) as connection:
        found = connection.sql("select id, name, _source_file from landed order by id").fetchall()
    names = [(1, "ada", "a"), (2, "bob", "b"), (3, "cleo", "c")]
    assert found == [(id, name, f"s3://lake/landing/{file}.csv") for id, name, file in names], found


def main():
    medal, source = sys.argv[1], pathlib.Path(sys.argv[2])
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    os.environ.update(KEYS)
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="lake")
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder) / "project"
        shutil.copytree(source, project)
        (project / "profiles.yml").write_text(PROFILE)
        (project / "macros").mkdir(exist_ok=True)
        (project / "macros" / "writers.sql").write_text(MACROS)
        store = Store(medal, project, address)
        store.run(["build"])
        store.run(["build"])
        assert len(store.rows("events")) == 3 and len(store.rows("by_kind")) == 3
        store.run(["run-operation", "make"])
        store.run(["run-operation", "add"], ["run-operation", "add"])
        found = sorted(row["i"] for row in store.rows("t"))
        assert found == sorted(list(range(10)) * 2), found
        assert store.table("t").version() == 20
        store.run(["run-operation", "number"])
        store.run(["run-operation", "bump"], ["run-operation", "bump"])
        assert store.rows("n") == [{"i": 10}], store.rows("n")
        land = boto3.client("s3", endpoint_url=address).put_object
        (project / "models" / "landing.yml").write_text(SOURCES)
        (project / "models" / "landed.sql").write_text(LANDED)
        land(Bucket="lake", Key="landing/a.csv", Body=b"id,name\n1,ada\nbad\n")
        store.run(["build", "--select", "landed"])
        land(Bucket="lake", Key="landing/b.csv", Body=b"id,name\n2,bob\n")
        store.run(["build", "--select", "landed"])
        store.run(["build", "--select", "landed"])
        found = sorted((row["id"], row["name"], row["_source_file"], row["_source_row"]) for row in store.rows("landed"))
        assert found == [(1, "ada", "s3://lake/landing/a.csv", 1), (2, "bob", "s3://lake/landing/b.csv", 1)], found
        assert [row["_raw"] for row in store.rows("landed__quarantine")] == ["bad"]
        ingest_into_duckdb(medal, pathlib.Path(folder), address, land)
    server.stop()
    print("an object store: two writers, and nothing is lost")


if __name__ == "__main__":
    main()
