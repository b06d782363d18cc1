-- Who lost a wallet claims again by proving who they are. What was said for it waits sealed, for a job that answers everybody alike.
ALTER TABLE contacts ADD COLUMN contact_hash {bytes};
CREATE INDEX contacts_hash ON contacts (contact_hash);

ALTER TABLE authorizations ADD COLUMN contact_hash {bytes};
ALTER TABLE authorizations ADD COLUMN proof_ciphertext {bytes};
CREATE INDEX authorizations_proof ON authorizations (created) WHERE proof_ciphertext IS NOT NULL;

ALTER TABLE wallet_grants ADD COLUMN contact_hash {bytes};
CREATE INDEX wallet_grants_person ON wallet_grants (person) WHERE person IS NOT NULL;

-- Copies that an issuer signs with its own key: each waits here, sealed under the person's data key, for the wallet that asked for it.
CREATE TABLE waiting_copies (
  copy_id {bytes} NOT NULL PRIMARY KEY REFERENCES copies (id),
  claim_id {bytes} NOT NULL REFERENCES claims (id),
  place {int} NOT NULL,
  text_ciphertext {bytes}
) {table};
CREATE INDEX waiting_copies_claim ON waiting_copies (claim_id, place);
