-- Times are whole Unix seconds. What is named *_ciphertext or body is encrypted before it comes here.

CREATE TABLE deployment (
  id {int} NOT NULL PRIMARY KEY,
  deployment {bytes} NOT NULL,
  chain {int} NOT NULL,
  contracts {text} NOT NULL,
  public_url {text} NOT NULL,
  root_key_check {bytes} NOT NULL,
  created {int} NOT NULL,
  CONSTRAINT deployment_single CHECK (id = 1)
) {table};

CREATE TABLE participants (
  id {bytes} NOT NULL PRIMARY KEY,
  role {text} NOT NULL,
  did {text} NOT NULL,
  account {bytes} NOT NULL,
  name {text} NOT NULL,
  country {text} NOT NULL,
  profile {text} NOT NULL,
  profile_digest {bytes} NOT NULL,
  permits {text} NOT NULL,
  custody {text} NOT NULL,
  state {text} NOT NULL,
  created {int} NOT NULL,
  updated {int} NOT NULL,
  CONSTRAINT participants_role CHECK (role IN ('authority', 'issuer', 'verifier')),
  CONSTRAINT participants_custody CHECK (custody IN ('wrapped', 'own')),
  CONSTRAINT participants_state CHECK (state IN ('pending', 'active', 'suspended', 'revoked'))
) {table};
CREATE UNIQUE INDEX participants_account ON participants (role, account);

CREATE TABLE keys (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} REFERENCES participants (id),
  purpose {text} NOT NULL,
  kind {text} NOT NULL,
  version {int} NOT NULL,
  public {bytes} NOT NULL,
  kek_id {text},
  kek_version {int},
  nonce {bytes},
  secret_ciphertext {bytes},
  certificate {bytes},
  valid_from {int} NOT NULL,
  valid_until {int},
  state {text} NOT NULL,
  created {int} NOT NULL,
  CONSTRAINT keys_kind CHECK (kind IN ('secp256k1', 'p256', 'ed25519', 'x25519')),
  CONSTRAINT keys_state CHECK (state IN ('pending', 'active', 'retired', 'revoked')),
  CONSTRAINT keys_wrapped CHECK ((kek_id IS NULL) = (secret_ciphertext IS NULL))
) {table};
-- A deployment's own keys have no participant, and NULLs are not equal: two indexes.
CREATE UNIQUE INDEX keys_version ON keys (participant_id, purpose, kind, version);
CREATE UNIQUE INDEX keys_deployment_version ON keys (purpose, kind, version) WHERE participant_id IS NULL;
CREATE INDEX keys_public ON keys (public);

CREATE TABLE setup_links (
  token_hash {bytes} NOT NULL PRIMARY KEY,
  purpose {text} NOT NULL,
  participant_id {bytes} REFERENCES participants (id),
  created {int} NOT NULL,
  expires {int} NOT NULL,
  used {int}
) {table};

CREATE TABLE api_keys (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  name {text} NOT NULL,
  secret_hash {bytes} NOT NULL,
  permissions {text} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  revoked {int},
  last_used_day {int}
) {table};
CREATE INDEX api_keys_participant ON api_keys (participant_id);

CREATE TABLE persons (
  person {bytes} NOT NULL PRIMARY KEY,
  kek_id {text},
  kek_version {int},
  nonce {bytes},
  data_key_ciphertext {bytes},
  created {int} NOT NULL,
  erased {int},
  CONSTRAINT persons_key CHECK ((erased IS NULL) = (data_key_ciphertext IS NOT NULL))
) {table};

CREATE TABLE results (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  person {bytes} NOT NULL REFERENCES persons (person),
  category {text} NOT NULL,
  uniqueness {bytes} NOT NULL,
  nonce {bytes},
  body_ciphertext {bytes},
  state {text} NOT NULL,
  created {int} NOT NULL,
  CONSTRAINT results_state CHECK (state IN ('live', 'replaced', 'withdrawn', 'erased'))
) {table};
CREATE UNIQUE INDEX results_live ON results (person, category, uniqueness) WHERE state = 'live';
CREATE INDEX results_participant ON results (participant_id, created, id);

CREATE TABLE certificates (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  result_id {bytes} NOT NULL REFERENCES results (id),
  person {bytes} NOT NULL REFERENCES persons (person),
  category {text} NOT NULL,
  uniqueness {bytes} NOT NULL,
  state {text} NOT NULL,
  reason {text},
  replaced_by {bytes},
  valid_from {int} NOT NULL,
  valid_until {int} NOT NULL,
  created {int} NOT NULL,
  updated {int} NOT NULL,
  CONSTRAINT certificates_state CHECK (state IN ('valid', 'suspended', 'revoked', 'replaced'))
) {table};
CREATE UNIQUE INDEX certificates_live ON certificates (person, category, uniqueness) WHERE state IN ('valid', 'suspended');
CREATE INDEX certificates_participant ON certificates (participant_id, created, id);
CREATE INDEX certificates_result ON certificates (result_id);

CREATE TABLE status_lists (
  list {int} NOT NULL PRIMARY KEY,
  capacity {int} NOT NULL,
  revision {int} NOT NULL,
  created {int} NOT NULL
) {table};

CREATE TABLE copies (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  certificate_id {bytes} NOT NULL REFERENCES certificates (id),
  format {text} NOT NULL,
  holder {text},
  state {text} NOT NULL,
  status_list {int} NOT NULL REFERENCES status_lists (list),
  status_index {int} NOT NULL,
  prepared {bytes},
  key_id {bytes} REFERENCES keys (id),
  digest {bytes},
  commitment {bytes},
  salt_nonce {bytes},
  salt_ciphertext {bytes},
  payload {bytes},
  content {text},
  counter_signature {bytes},
  created {int} NOT NULL,
  issued_at {int},
  CONSTRAINT copies_state CHECK (state IN ('intent', 'signed', 'published', 'abandoned')),
  CONSTRAINT copies_whole CHECK (state IN ('intent', 'abandoned') OR (digest IS NOT NULL AND commitment IS NOT NULL))
) {table};
CREATE UNIQUE INDEX copies_commitment ON copies (commitment);
CREATE INDEX copies_certificate ON copies (certificate_id);
CREATE INDEX copies_digest ON copies (digest);
CREATE INDEX copies_content ON copies (content);
CREATE INDEX copies_holder ON copies (holder, created, id);
CREATE INDEX copies_unfinished ON copies (state, created) WHERE state IN ('intent', 'signed');

CREATE TABLE status_entries (
  list {int} NOT NULL REFERENCES status_lists (list),
  place {int} NOT NULL,
  copy_id {bytes} NOT NULL,
  status {int} NOT NULL,
  reason {text},
  updated {int} NOT NULL,
  PRIMARY KEY (list, place),
  CONSTRAINT status_entries_status CHECK (status IN (0, 1, 2))
) {table};
CREATE UNIQUE INDEX status_entries_copy ON status_entries (copy_id);
CREATE INDEX status_entries_set ON status_entries (list, place, status) WHERE status <> 0;

CREATE TABLE published_lists (
  list {int} NOT NULL REFERENCES status_lists (list),
  encoding {text} NOT NULL,
  version {int} NOT NULL,
  revision {int} NOT NULL,
  signed {bytes} NOT NULL,
  issued_at {int} NOT NULL,
  valid_until {int} NOT NULL,
  PRIMARY KEY (list, encoding)
) {table};

CREATE TABLE nonces (
  chain {int} NOT NULL,
  account {bytes} NOT NULL,
  next {int} NOT NULL,
  PRIMARY KEY (chain, account)
) {table};

CREATE TABLE transactions (
  id {bytes} NOT NULL PRIMARY KEY,
  chain {int} NOT NULL,
  account {bytes} NOT NULL,
  account_nonce {int} NOT NULL,
  purpose {text} NOT NULL,
  object {bytes} NOT NULL,
  recipient {bytes},
  data {bytes} NOT NULL,
  gas {int} NOT NULL,
  raw {bytes},
  hash {bytes},
  state {text} NOT NULL,
  reason {text},
  block_number {int},
  block_hash {bytes},
  block_time {int},
  created {int} NOT NULL,
  updated {int} NOT NULL,
  CONSTRAINT transactions_state CHECK (state IN ('queued', 'signed', 'sent', 'mined', 'final', 'failed')),
  CONSTRAINT transactions_raw CHECK ((raw IS NULL) = (hash IS NULL)),
  CONSTRAINT transactions_signed CHECK (state = 'queued' OR raw IS NOT NULL),
  CONSTRAINT transactions_mined CHECK (state NOT IN ('mined', 'final') OR (block_number IS NOT NULL AND block_hash IS NOT NULL AND block_time IS NOT NULL))
) {table};
CREATE UNIQUE INDEX transactions_nonce ON transactions (chain, account, account_nonce);
CREATE UNIQUE INDEX transactions_hash ON transactions (hash);
CREATE UNIQUE INDEX transactions_object ON transactions (purpose, object);
CREATE INDEX transactions_open ON transactions (chain, state) WHERE state IN ('queued', 'signed', 'sent', 'mined');

CREATE TABLE batches (
  id {bytes} NOT NULL PRIMARY KEY,
  chain {int} NOT NULL,
  state {text} NOT NULL,
  size {int} NOT NULL,
  root {bytes},
  anchor_transaction {bytes},
  block_number {int},
  block_hash {bytes},
  block_time {int},
  created {int} NOT NULL,
  CONSTRAINT batches_state CHECK (state IN ('gathered', 'built', 'final'))
) {table};
CREATE UNIQUE INDEX batches_root ON batches (chain, root);
CREATE INDEX batches_open ON batches (chain, state) WHERE state IN ('gathered', 'built');

CREATE TABLE outbox (
  commitment {bytes} NOT NULL PRIMARY KEY,
  copy_id {bytes} NOT NULL REFERENCES copies (id),
  chain {int} NOT NULL,
  created {int} NOT NULL,
  batch_id {bytes} REFERENCES batches (id),
  proof_index {int},
  proof_path {bytes}
) {table};
CREATE UNIQUE INDEX outbox_copy ON outbox (copy_id);
CREATE INDEX outbox_waiting ON outbox (chain, created, commitment) WHERE batch_id IS NULL;
CREATE INDEX outbox_batch ON outbox (batch_id, commitment);

CREATE TABLE chain_cursors (
  chain {int} NOT NULL PRIMARY KEY,
  block_number {int} NOT NULL,
  block_hash {bytes} NOT NULL,
  block_time {int} NOT NULL
) {table};

CREATE TABLE chain_events (
  chain {int} NOT NULL,
  block_number {int} NOT NULL,
  log_index {int} NOT NULL,
  block_hash {bytes} NOT NULL,
  block_time {int} NOT NULL,
  transaction_hash {bytes} NOT NULL,
  contract {bytes} NOT NULL,
  kind {text} NOT NULL,
  subject {bytes} NOT NULL,
  payload {text} NOT NULL,
  PRIMARY KEY (chain, block_number, log_index)
) {table};
CREATE INDEX chain_events_subject ON chain_events (chain, subject, block_number, log_index);

CREATE TABLE chain_anchors (
  chain {int} NOT NULL,
  root {bytes} NOT NULL,
  size {int} NOT NULL,
  contract {bytes} NOT NULL,
  anchorer {bytes} NOT NULL,
  transaction_hash {bytes} NOT NULL,
  block_number {int} NOT NULL,
  block_hash {bytes} NOT NULL,
  block_time {int} NOT NULL,
  PRIMARY KEY (chain, root)
) {table};
CREATE INDEX chain_anchors_block ON chain_anchors (chain, block_number);

CREATE TABLE idempotency (
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  idempotency_key {text} NOT NULL,
  request_digest {bytes} NOT NULL,
  reference {bytes} NOT NULL,
  state {text} NOT NULL,
  response {bytes},
  lease_until {int} NOT NULL,
  expires {int} NOT NULL,
  PRIMARY KEY (participant_id, idempotency_key),
  CONSTRAINT idempotency_state CHECK (state IN ('running', 'done')),
  CONSTRAINT idempotency_response CHECK ((state = 'done') = (response IS NOT NULL))
) {table};
CREATE INDEX idempotency_expires ON idempotency (expires);

CREATE TABLE audit_head (
  id {int} NOT NULL PRIMARY KEY,
  sequence {int} NOT NULL,
  hash {bytes} NOT NULL,
  time {int} NOT NULL,
  CONSTRAINT audit_head_single CHECK (id = 1)
) {table};

CREATE TABLE audit_entries (
  sequence {int} NOT NULL PRIMARY KEY,
  time {int} NOT NULL,
  actor {bytes},
  operation {text} NOT NULL,
  object {bytes} NOT NULL,
  details {bytes} NOT NULL,
  previous {bytes} NOT NULL,
  hash {bytes} NOT NULL
) {table};
CREATE INDEX audit_entries_object ON audit_entries (object, sequence);

CREATE TABLE jobs (
  id {bytes} NOT NULL PRIMARY KEY,
  kind {text} NOT NULL,
  unique_key {text} NOT NULL,
  payload {bytes} NOT NULL,
  version {int} NOT NULL,
  run_at {int} NOT NULL,
  attempts {int} NOT NULL,
  lease_owner {bytes},
  lease_until {int} NOT NULL,
  last_error {text},
  created {int} NOT NULL
) {table};
CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key);
CREATE INDEX jobs_due ON jobs (run_at, lease_until);

CREATE TABLE checks (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  category {text},
  verdict {text} NOT NULL,
  reasons {text} NOT NULL,
  time {int} NOT NULL,
  CONSTRAINT checks_verdict CHECK (verdict IN ('valid', 'invalid', 'undetermined'))
) {table};
CREATE INDEX checks_participant ON checks (participant_id, time, id);

CREATE TABLE requests (
  nonce_hash {bytes} NOT NULL PRIMARY KEY,
  id {bytes} NOT NULL,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  body {bytes} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL,
  used {int}
) {table};
CREATE UNIQUE INDEX requests_id ON requests (id);
CREATE INDEX requests_expires ON requests (expires);

CREATE TABLE limits (
  kind {text} NOT NULL,
  subject {bytes} NOT NULL,
  window_start {int} NOT NULL,
  hits {int} NOT NULL,
  expires {int} NOT NULL,
  PRIMARY KEY (kind, subject)
) {table};
CREATE INDEX limits_expires ON limits (expires);
