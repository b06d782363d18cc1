//! A query over a full wallet, beside the lookups that nobody could do without. One thread.

use serde_json::{Value, json};
use std::hint::black_box;
use vidimus_bench::{Subject, in_turn, row, slice};
use vidimus_openid4vc::dcql::{Authority, Candidate, Query, Type, evaluate};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELD: usize = 1000;
const VACCINATION: &str = "https://vidimus.example/vct/sars-cov-2-vaccination";
const TEST: &str = "https://vidimus.example/vct/sars-cov-2-naat";

fn main() {
    let held: Vec<Value> = (0..HELD).map(certificate).collect();
    let keys: Vec<[u8; 20]> = (0..HELD).map(|at| [(at % 8) as u8; 20]).collect();
    let authorities: Vec<[Authority<'_>; 1]> = keys.iter().map(|key| [Authority::KeyIdentifier(key)]).collect();
    let wallet: Vec<Candidate<'_>> = held
        .iter()
        .zip(&authorities)
        .map(|(claims, authorities)| Candidate {
            kind: Type::SdJwtVc(&[VACCINATION]),
            claims,
            authorities,
            holder_bound: true,
        })
        .collect();
    // Every certificate is looked through: its type matches, its claims are there, and the last one's value decides.
    let query = Query::from_json(&json!({
        "credentials": [
            {
                "id": "vaccination", "format": "dc+sd-jwt", "multiple": true, "meta": {"vct_values": [TEST, VACCINATION]},
                "claims": [
                    {"id": "name", "path": ["name", "family"]},
                    {"id": "born", "path": ["birth_date"]},
                    {"id": "disease", "path": ["disease"], "values": ["840539006"]},
                    {"id": "dose", "path": ["doses", 0, "date"]},
                    {"id": "product", "path": ["product"], "values": ["EU/1/20/1528", "EU/1/20/1507"]},
                ],
                "claim_sets": [["name", "born", "disease", "dose", "product"], ["name", "born", "disease", "dose"]],
            },
            {"id": "test", "format": "dc+sd-jwt", "meta": {"vct_values": [TEST]}, "claims": [{"path": ["result"]}]},
        ],
        "credential_sets": [{"options": [["vaccination"], ["test"]]}],
    }))
    .expect("a query");
    let pointers = ["/name/family", "/birth_date", "/disease", "/doses/0/date", "/product"];
    let all = evaluate(&query, &wallet);
    assert_eq!((all.matches("vaccination").len(), all.matches("test").len()), (HELD, 0));

    let rates = in_turn(
        &mut [
            Subject::new("evaluate", || {
                let found = evaluate(black_box(&query), black_box(&wallet));
                assert!(found.is_satisfiable());
                black_box(&found);
            }),
            Subject::new("pointers", || {
                for claims in black_box(&held) {
                    for pointer in pointers {
                        black_box(claims.pointer(black_box(pointer)));
                    }
                }
            }),
        ],
        5,
        slice(),
    );
    let (ours, floor) = (rates[0], rates[1]);
    row(
        "DCQL over 1 000 held certificates, milliseconds",
        Some(('<', 1.0)),
        1000.0 / ours,
        "5 claims, 2 claim sets, 2 credentials",
    );
    row("  as a ratio to 5 000 bare serde_json pointers", None, ours / floor, "");
}

fn certificate(at: usize) -> Value {
    json!({
        "iss": "https://lab.example", "vct": VACCINATION, "iat": 1_767_312_000, "cnf": {"kid": format!("k{at}")},
        "name": {"family": "Muster", "given": "Jo"}, "birth_date": "1990-01-02", "disease": "840539006",
        "product": if at % 2 == 0 { "EU/1/20/1528" } else { "EU/1/20/1529" },
        "manufacturer": "ORG-100030215", "country": "CH", "dose": 2, "of": 2,
        "doses": [{"date": "2026-01-02", "lot": format!("L{at}")}, {"date": "2026-02-02", "lot": "M"}],
    })
}
