//! What the issuer registry holds.

use super::*;

/// The events of the issuer registry that are about these.
pub fn events_of(wanted: &[&Lab]) -> Vec<Event> {
    let mut events = events();
    events.retain(|event| wanted.iter().any(|lab| lab.account.address() == event.participant));
    events
}

/// The events of the issuer registry.
pub fn events() -> Vec<Event> {
    const NAAT: &str = "sars-cov-2-naat";
    const VACCINATION: &str = "sars-cov-2-vaccination";
    let category = |name: &str| Grant::Category(name.to_owned());
    let mut events = Vec::new();
    let mut add = |lab: &Lab, time: &str, change: Change| {
        events.push(Event {
            participant: lab.account.address(),
            block: 0,
            time: at(time),
            change,
        });
    };
    let labs = &*LABS;
    let start = "2026-01-05T08:00:00Z";
    let admit = |lab: &Lab, time: &str, categories: &[&str], add: &mut dyn FnMut(&Lab, &str, Change)| {
        add(lab, time, Change::Approved(PROVIDER.sha256(&[profile(lab).as_bytes()])));
        add(
            lab,
            time,
            Change::KeysRotated {
                version: 1,
                keys: lab.registered(1),
            },
        );
        for name in categories {
            add(lab, time, Change::Granted(category(name)));
        }
    };
    admit(
        &labs.lab,
        start,
        &[NAAT, "sars-cov-2-antigen", VACCINATION, "sars-cov-2-antibody"],
        &mut add,
    );
    admit(&labs.clinic, start, &[VACCINATION], &mut add);
    for lab in [
        &labs.suspended,
        &labs.resumed,
        &labs.revoked,
        &labs.withdrawn,
        &labs.robbed,
        &labs.mixed,
    ] {
        admit(lab, start, &[NAAT, VACCINATION], &mut add);
    }
    add(
        &labs.mixed,
        "2026-01-06T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.mixed.registered(2),
        },
    );
    add(
        &labs.lab,
        "2026-02-01T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.lab.registered(2),
        },
    );
    add(
        &labs.resumed,
        "2026-02-10T00:00:00Z",
        Change::Suspended("audit".to_owned()),
    );
    add(&labs.resumed, "2026-02-15T00:00:00Z", Change::Resumed);
    add(
        &labs.suspended,
        "2026-02-20T00:00:00Z",
        Change::Suspended("audit".to_owned()),
    );
    add(
        &labs.revoked,
        "2026-02-20T00:00:00Z",
        Change::Revoked("fraud".to_owned()),
    );
    let from = at("2026-02-25T00:00:00Z");
    add(
        &labs.robbed,
        "2026-02-26T00:00:00Z",
        Change::KeysRevoked { version: 1, from },
    );
    add(
        &labs.robbed,
        "2026-02-26T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.robbed.registered(2),
        },
    );
    add(
        &labs.withdrawn,
        "2026-03-01T12:00:00Z",
        Change::Withdrawn(category(NAAT)),
    );
    admit(&labs.late, "2026-03-02T06:00:00Z", &[NAAT], &mut add);
    // Last, so that the blocks of the others stay.
    admit(&labs.moved, start, &[NAAT, VACCINATION], &mut add);
    add(
        &labs.moved,
        "2026-02-01T00:00:00Z",
        Change::OwnerChanged(labs.moved_to.address()),
    );
    admit(&labs.kept, start, &[NAAT, VACCINATION], &mut add);
    add(
        &labs.kept,
        "2026-02-01T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.kept.registered(1),
        },
    );
    admit(&labs.gone, start, &[NAAT, VACCINATION], &mut add);
    for owner in [vidimus_core::Address([0; 20]), labs.moved_to.address()] {
        add(&labs.gone, "2026-02-01T00:00:00Z", Change::OwnerChanged(owner));
    }
    for (number, event) in events.iter_mut().enumerate() {
        event.block = number as u64 + 1;
    }
    events
}

/// A public profile, byte for byte.
pub fn profile(lab: &Lab) -> String {
    json!({"name": format!("Test {}", lab.account.name), "country": "AT"}).to_string()
}

pub fn head() -> Head {
    Head {
        chain_id: CHAIN,
        block_number: 900,
        block_hash: BlockHash([0xb1; 32]),
        block_time: now().plus(-900),
        read_at: now().plus(-300),
    }
}
