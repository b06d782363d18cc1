-- What waits for its number is found by the index of just that: the other one, which held it too, led past everything that has a number.
DROP INDEX events_sequence;
CREATE UNIQUE INDEX events_sequence ON events (participant_id, sequence) WHERE sequence IS NOT NULL;
