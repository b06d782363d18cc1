-- Each of the two states has readers of its own, and an index serves only the condition that stands in it word for word.
DROP INDEX copies_unfinished;
CREATE INDEX copies_intents ON copies (created) WHERE state = 'intent';
CREATE INDEX copies_unpublished ON copies (created) WHERE state = 'signed';
