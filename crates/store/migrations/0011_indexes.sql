-- Each page that a commit has to write costs more than the row that it holds. A commitment is a key of the outbox already, and nobody looks for a
-- copy by it or by its holder, or in the outbox by a copy. What is null, for a while or for good, needs no entry.
DROP INDEX copies_commitment;
DROP INDEX outbox_copy;
DROP INDEX copies_digest;
CREATE INDEX copies_digest ON copies (digest) WHERE digest IS NOT NULL;
DROP INDEX copies_content;
CREATE INDEX copies_content ON copies (content) WHERE content IS NOT NULL;
DROP INDEX copies_holder;
DROP INDEX offers_issuer_state;
CREATE UNIQUE INDEX offers_issuer_state ON offers (state_hash) WHERE state_hash IS NOT NULL;
DROP INDEX claims_transaction;
CREATE UNIQUE INDEX claims_transaction ON claims (transaction_hash) WHERE transaction_hash IS NOT NULL;
DROP INDEX outbox_batch;
CREATE INDEX outbox_batch ON outbox (batch_id, commitment) WHERE batch_id IS NOT NULL;
