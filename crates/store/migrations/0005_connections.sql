-- On PostgreSQL: how many writes each connection has committed. A commit whose reply was lost is looked up here; ids of transactions do not
-- serve for it, since a server that crashed gives those that never reached its log to others. SQLite has no use for it.
CREATE TABLE connections (
  id {text} PRIMARY KEY,
  writes {int} NOT NULL,
  used {int} NOT NULL
) {table};
