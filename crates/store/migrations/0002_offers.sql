-- A transaction that blocks pass by is replaced by one that offers more for the same nonce. Whatever was sent is kept: any of it may be mined.
CREATE TABLE transaction_offers (
  hash {bytes} NOT NULL PRIMARY KEY,
  transaction_id {bytes} NOT NULL REFERENCES transactions (id),
  raw {bytes} NOT NULL,
  created {int} NOT NULL
) {table};
CREATE INDEX transaction_offers_transaction ON transaction_offers (transaction_id, created);
