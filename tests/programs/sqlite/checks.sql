-- SPDX-License-Identifier: Apache-2.0
-- What SQLite wants from the system below it: files, locks, memory, numbers, time. Each line says what it has to give.
.bail on
.open /tmp/checks.db
PRAGMA journal_mode = wal;
CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, number REAL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
  INSERT INTO t SELECT i, printf('word %05d', i), i * 0.5 FROM n;
CREATE INDEX t_word ON t (word);
SELECT 'rows', count(*), sum(number), min(word), max(word) FROM t;
BEGIN;
DELETE FROM t WHERE id % 2 = 0;
ROLLBACK;
SELECT 'after rollback', count(*) FROM t;
UPDATE t SET number = -number WHERE id <= 10;
SELECT 'updated', total(number) FROM t WHERE id <= 10;
SELECT 'plan', count(*) FROM t WHERE word BETWEEN 'word 00100' AND 'word 00199';
PRAGMA wal_checkpoint(truncate);
PRAGMA integrity_check;
ATTACH '/tmp/checks2.db' AS other;
CREATE TABLE other.copy AS SELECT * FROM t WHERE id < 1000;
DETACH other;
.open /tmp/checks2.db
SELECT 'copied', count(*) FROM copy;
PRAGMA journal_mode = delete;
VACUUM;
PRAGMA integrity_check;
CREATE VIRTUAL TABLE text USING fts5 (body);
INSERT INTO text VALUES ('the quick brown fox'), ('jumps over'), ('the lazy dog');
SELECT 'found', count(*) FROM text WHERE text MATCH 'the';
CREATE VIRTUAL TABLE boxes USING rtree (id, x0, x1, y0, y1);
INSERT INTO boxes VALUES (1, 0, 1, 0, 1), (2, 5, 6, 5, 6);
SELECT 'boxes', id FROM boxes WHERE x0 > 4;
SELECT 'json', json_extract('{"a": [1, 2, {"b": 3}]}', '$.a[2].b');
SELECT 'math', round(sin(1.0), 12), round(pow(2, 0.5), 12), 1e308 * 10;
SELECT 'date', strftime('%Y-%m-%dT%H:%M:%SZ', 1709208000, 'unixepoch');
SELECT 'random', length(randomblob(1000)), abs(random()) >= 0;
.backup /tmp/checks3.db
.open /tmp/checks3.db
SELECT 'backup', count(*) FROM copy;
