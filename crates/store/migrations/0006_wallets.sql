-- What the open protocols keep between a wallet's requests (OpenID4VCI, OpenID4VP). Codes, tokens and handles are kept as hashes; what is named
-- *_ciphertext is sealed under a key of the deployment or of the person.

-- What an issuer offers a wallet: a result that is there, or one that is still to come.
CREATE TABLE offers (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  result_id {bytes} REFERENCES results (id),
  category {text} NOT NULL,
  configurations {text} NOT NULL,
  reference_hash {bytes} NOT NULL,
  code_hash {bytes},
  state_hash {bytes},
  tx_code {bytes},
  tx_code_length {int},
  tries {int} NOT NULL,
  state {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  CONSTRAINT offers_state CHECK (state IN ('open', 'claimed', 'locked', 'withdrawn'))
) {table};
CREATE UNIQUE INDEX offers_reference ON offers (reference_hash);
CREATE UNIQUE INDEX offers_code ON offers (code_hash);
CREATE UNIQUE INDEX offers_issuer_state ON offers (state_hash);
CREATE INDEX offers_participant ON offers (participant_id, created, id);
CREATE INDEX offers_result ON offers (result_id);
CREATE INDEX offers_expires ON offers (expires);

-- Where a code for the person is sent: by a second channel, so that whoever finds the offer does not have it.
CREATE TABLE contacts (
  result_id {bytes} NOT NULL PRIMARY KEY REFERENCES results (id),
  contact_ciphertext {bytes} NOT NULL
) {table};

-- An authorization request (RFC 9126) and what has become of it.
CREATE TABLE authorizations (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  offer_id {bytes} REFERENCES offers (id),
  request_hash {bytes} NOT NULL,
  page_hash {bytes},
  code_hash {bytes},
  request_ciphertext {bytes} NOT NULL,
  person {bytes},
  proof_code {bytes},
  tries {int} NOT NULL,
  state {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  CONSTRAINT authorizations_state CHECK (state IN ('pushed', 'shown', 'asked', 'granted', 'redeemed', 'refused'))
) {table};
CREATE UNIQUE INDEX authorizations_request ON authorizations (request_hash);
CREATE UNIQUE INDEX authorizations_page ON authorizations (page_hash);
CREATE UNIQUE INDEX authorizations_code ON authorizations (code_hash);
CREATE INDEX authorizations_expires ON authorizations (expires);

-- What a wallet was permitted to claim.
CREATE TABLE wallet_grants (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  offer_id {bytes} REFERENCES offers (id),
  person {bytes},
  configurations {text} NOT NULL,
  client {text},
  client_key {bytes},
  dpop_key {bytes},
  claimed {int} NOT NULL,
  state {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  CONSTRAINT wallet_grants_state CHECK (state IN ('live', 'ended'))
) {table};
CREATE INDEX wallet_grants_offer ON wallet_grants (offer_id);
CREATE INDEX wallet_grants_expires ON wallet_grants (expires);

CREATE TABLE tokens (
  token_hash {bytes} NOT NULL PRIMARY KEY,
  grant_id {bytes} NOT NULL REFERENCES wallet_grants (id),
  kind {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  used {int},
  CONSTRAINT tokens_kind CHECK (kind IN ('access', 'refresh'))
) {table};
CREATE INDEX tokens_grant ON tokens (grant_id);
CREATE INDEX tokens_expires ON tokens (expires);

-- One credential request: what it asked for, what was made for it, and what the wallet said of it afterwards.
CREATE TABLE claims (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  grant_id {bytes} NOT NULL REFERENCES wallet_grants (id),
  configuration {text} NOT NULL,
  holder_keys {text} NOT NULL,
  copies {text},
  transaction_hash {bytes},
  notification_hash {bytes},
  notified {text},
  state {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  CONSTRAINT claims_state CHECK (state IN ('pending', 'made', 'delivered', 'denied'))
) {table};
CREATE UNIQUE INDEX claims_transaction ON claims (transaction_hash);
CREATE UNIQUE INDEX claims_notification ON claims (notification_hash);
CREATE INDEX claims_grant ON claims (grant_id);
CREATE INDEX claims_expires ON claims (expires);

-- What counts once, whoever shows it: nonces that were used, ids of proofs.
CREATE TABLE seen (
  kind {text} NOT NULL,
  hash {bytes} NOT NULL,
  expires {int} NOT NULL,
  PRIMARY KEY (kind, hash)
) {table};
CREATE INDEX seen_expires ON seen (expires);

-- A verifier's request for a presentation by OpenID4VP, and its answer.
CREATE TABLE presentations (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  purpose {text} NOT NULL,
  request_ciphertext {bytes},
  session_hash {bytes},
  response_code_hash {bytes},
  answer_ciphertext {bytes},
  state {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  updated {int} NOT NULL,
  CONSTRAINT presentations_state CHECK (state IN ('made', 'fetched', 'answering', 'answered', 'declined', 'failed', 'withdrawn'))
) {table};
CREATE INDEX presentations_participant ON presentations (participant_id, created, id);
CREATE INDEX presentations_expires ON presentations (expires);

-- Presentations that a holder left for a verifier, sealed to its key.
CREATE TABLE left_presentations (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  payload {bytes} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL
) {table};
CREATE INDEX left_presentations_participant ON left_presentations (participant_id, created, id);
CREATE INDEX left_presentations_expires ON left_presentations (expires);
