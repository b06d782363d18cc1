-- What happened to whose objects, by id. Without a sequence it is not numbered yet: numbers are given after the commit, one participant at a
-- time, so that none appears behind one that was read already. `arrival` orders those that wait for theirs.
CREATE TABLE events (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  kind {text} NOT NULL,
  object {bytes} NOT NULL,
  time {int} NOT NULL,
  arrival {int} NOT NULL,
  sequence {int}
) {table};
CREATE UNIQUE INDEX events_sequence ON events (participant_id, sequence);
CREATE INDEX events_unnumbered ON events (participant_id, arrival, id) WHERE sequence IS NULL;
CREATE INDEX events_time ON events (time);

CREATE TABLE event_heads (
  participant_id {bytes} NOT NULL PRIMARY KEY REFERENCES participants (id),
  last {int} NOT NULL
) {table};

-- Where a participant wants to be told. Address and secret are sealed together: an address may be a secret of its owner.
CREATE TABLE webhooks (
  id {bytes} NOT NULL PRIMARY KEY,
  participant_id {bytes} NOT NULL REFERENCES participants (id),
  purpose {text} NOT NULL,
  kinds {text} NOT NULL,
  target_ciphertext {bytes} NOT NULL,
  state {text} NOT NULL,
  failing_since {int},
  last_error {text},
  last_success {int},
  created {int} NOT NULL,
  CONSTRAINT webhooks_purpose CHECK (purpose IN ('events', 'codes')),
  CONSTRAINT webhooks_state CHECK (state IN ('active', 'disabled'))
) {table};
CREATE INDEX webhooks_participant ON webhooks (participant_id, created, id);

-- Where a wallet's session wants to be woken.
CREATE TABLE push_subscriptions (
  id {bytes} NOT NULL PRIMARY KEY,
  owner_key {bytes} NOT NULL,
  endpoint_hash {bytes} NOT NULL,
  endpoint_ciphertext {bytes} NOT NULL,
  created {int} NOT NULL,
  expires {int} NOT NULL
) {table};
CREATE UNIQUE INDEX push_subscriptions_endpoint ON push_subscriptions (owner_key, endpoint_hash);
CREATE INDEX push_subscriptions_expires ON push_subscriptions (expires);

-- What is to leave: an event for a webhook, a wake-up for a wallet, a sealed message for a person. Instances share them by leases.
CREATE TABLE deliveries (
  id {bytes} NOT NULL PRIMARY KEY,
  channel {text} NOT NULL,
  participant_id {bytes} REFERENCES participants (id),
  target {bytes} NOT NULL,
  event_id {bytes},
  message_ciphertext {bytes},
  state {text} NOT NULL,
  attempts {int} NOT NULL,
  due {int} NOT NULL,
  lease_until {int} NOT NULL,
  expires {int} NOT NULL,
  last_error {text},
  created {int} NOT NULL,
  updated {int} NOT NULL,
  CONSTRAINT deliveries_channel CHECK (channel IN ('webhook', 'gateway', 'mail', 'push')),
  CONSTRAINT deliveries_state CHECK (state IN ('waiting', 'delivered', 'given-up')),
  CONSTRAINT deliveries_event CHECK ((event_id IS NOT NULL) = (channel = 'webhook')),
  CONSTRAINT deliveries_message CHECK ((message_ciphertext IS NOT NULL) = (channel IN ('gateway', 'mail')))
) {table};
CREATE INDEX deliveries_due ON deliveries (due, id) WHERE state = 'waiting';
CREATE INDEX deliveries_target ON deliveries (target, created, id);
CREATE INDEX deliveries_ended ON deliveries (updated) WHERE state <> 'waiting';
