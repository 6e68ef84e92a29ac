#!/bin/bash
# PostgreSQL's jsonb refuses JSON numbers whose value is 0, or which have no more than some thousand
# digits, for the places after the point that they are written with.
#
# RFC 8259 sets no bounds, and `json`, a text, takes any number. `jsonb` makes a numeric of it, which
# has at most 16,383 digits after the point, and counts those that the spelling asks for: an exponent
# below -16383 is too much for 0 itself; 1 with 20,000 zeros after the point is refused, and taken
# again with e4000 behind it. Whoever checks a number's value before storing it lets these through.
set -euo pipefail
VERSION=0.5.17 # @electric-sql/pglite: PostgreSQL, compiled to WebAssembly
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund "@electric-sql/pglite@$VERSION"
cat >ask.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite';
const db = new PGlite();
console.log((await db.query('SELECT version()')).rows[0].version.split(' ').slice(0, 2).join(' '));
const zeros = '0'.repeat(20000);
const numbers = { '0e-16383': '0e-16383', '0e-16384': '0e-16384', '0e9999999999': '0e9999999999',
    '1. and 20,000 zeros': `1.${zeros}`, 'the same and e4000': `1.${zeros}e4000` };
for (const [name, text] of Object.entries(numbers))
    for (const type of ['json', 'jsonb']) {
        const answer = await db.query(`SELECT $1::${type}`, [`[${text}]`]).then(() => 'taken', (e) => e.message);
        console.log(`${name} as ${type}: ${answer}`);
    }
JS
node ask.mjs | tee said
diff - <(tail -n +2 said) <<'TEXT'
0e-16383 as json: taken
0e-16383 as jsonb: taken
0e-16384 as json: taken
0e-16384 as jsonb: value overflows numeric format
0e9999999999 as json: taken
0e9999999999 as jsonb: value overflows numeric format
1. and 20,000 zeros as json: taken
1. and 20,000 zeros as jsonb: value overflows numeric format
the same and e4000 as json: taken
the same and e4000 as jsonb: taken
TEXT
echo "as described"
