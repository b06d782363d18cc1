-- How often a request was given to a wallet, and how many answers to it were none: each has an end.
ALTER TABLE presentations ADD COLUMN fetches {int} NOT NULL DEFAULT 0;
ALTER TABLE presentations ADD COLUMN wrong_answers {int} NOT NULL DEFAULT 0;
