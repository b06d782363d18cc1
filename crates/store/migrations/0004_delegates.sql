-- Read from the chain, as everything under `chain_`: under which number an issuer's key stands in its DID document, as of a change of the DID.
CREATE TABLE delegates (
  chain {int} NOT NULL,
  key_id {bytes} NOT NULL REFERENCES keys (id),
  number {int} NOT NULL,
  changed {int} NOT NULL,
  PRIMARY KEY (chain, key_id)
) {table};
