//! Status lists that unfold without end. Last, so that the numbers of the others stay.

use super::*;
use crate::check::world::{bitstring_bomb, now, token_bomb};
use vidimus_credential::check::bundle::List;

pub fn cases() -> Vec<Case> {
    let one = |name, says, list: List| {
        let mut setup = Setup::new();
        setup.status = vec![(list, now().plus(-60))];
        let input = shown(&mut setup, &simple(&statement(&LABS.lab), &LABS.lab));
        case(name, says, input, setup, &[Reason::StatusInvalid])
    };
    vec![
        one(
            "status-list-zlib-bomb",
            "A signed token list that unfolds to more than a list may hold.",
            token_bomb(),
        ),
        one(
            "status-list-gzip-bomb",
            "The same as a bitstring list.",
            bitstring_bomb(),
        ),
    ]
}
