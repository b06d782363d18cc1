//! What a check knows of the world that the vectors play in. Part of each benchmark that has a module `world`.

use crate::world::{self, Lab, PROVIDER, Setup};
use vidimus_credential::{
    check::{Registry, StatusLists},
    x509,
};

/// The registry, with `lab` in it.
pub fn registry(setup: &Setup, lab: &'static Lab) -> Registry {
    let mut registry = Registry::build(setup.head, &world::events_of(&[lab])).expect("the world's events");
    for (_, certificate) in &lab.keys {
        registry
            .add_certificate(certificate, &*PROVIDER)
            .expect("the world's certificates");
    }
    registry
}

/// The status lists.
pub fn status_lists(setup: &Setup) -> StatusLists {
    let trusted: Vec<_> = setup
        .trusted
        .iter()
        .map(|der| x509::Certificate::from_der(der).expect("a root"))
        .collect();
    let mut status = StatusLists::new();
    for (list, read_at) in &setup.status {
        status
            .add_token_list(&list.uri, &list.token, &trusted, *read_at, &*PROVIDER)
            .expect("the world's list");
    }
    status
}
