//! DCQL: what a verifier asks, what a wallet finds, and what comes back.

mod properties;
mod vectors;

use serde_json::{Value as Json, json};
use vidimus_credential::sd_jwt::ClaimPath;
use vidimus_openid4vc::dcql::{
    AnswerError, Candidate, Chosen, Claim, Credential, CredentialSet, Mismatch, Path, Query, Step, Type, Value,
    check_response, evaluate,
};

const VACCINATION: &str = "https://vidimus.example/vct/vaccination";
const RECOVERY: &str = "https://vidimus.example/vct/recovery";

fn held<'a>(vct: &'a [&'a str], claims: &'a Json) -> Candidate<'a> {
    Candidate {
        kind: Type::SdJwtVc(vct),
        claims,
        authorities: &[],
        holder_bound: true,
    }
}

fn named(id: &str, vct: &str, names: &[&str]) -> Credential {
    names.iter().fold(Credential::sd_jwt_vc(id, [vct]), |credential, name| {
        credential.asking(Claim::at(Path::of_names(name.split('.')).unwrap()))
    })
}

/// The airline asks for a vaccination or a recovery, and for a frequent flyer's card if there is one.
fn airline() -> Query {
    let option = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let mut vaccination = named("vaccination", VACCINATION, &["dose.date"]);
    vaccination
        .claims
        .push(Claim::at(Path::of_names(["disease"]).unwrap()).one_of([Value::Text("840539006".into())]));
    Query::new(
        vec![
            vaccination,
            named("recovery", RECOVERY, &["until"]),
            named("card", "https://airline.example/card", &["number"]),
        ],
        vec![
            CredentialSet {
                options: vec![option(&["vaccination"]), option(&["recovery"])],
                required: true,
            },
            CredentialSet {
                options: vec![option(&["card"])],
                required: false,
            },
        ],
    )
    .unwrap()
}

#[test]
fn the_airline_asks_the_traveller_chooses_the_airline_checks() {
    let query = Query::parse(airline().to_json().to_string().as_bytes()).unwrap();
    assert_eq!(query, airline());

    let vaccination = json!({"name": "Jo", "disease": "840539006", "dose": {"date": "2026-01-02", "lot": "X1"}});
    let other = json!({"name": "Jo", "disease": "66071002", "dose": {"date": "2025-01-02"}});
    let recovery = json!({"name": "Jo", "until": "2026-12-01"});
    let wallet = [
        held(&[RECOVERY], &recovery),
        held(&[VACCINATION], &other),
        held(&["https://vidimus.example/vct/booster", VACCINATION], &vaccination),
    ];
    let found = evaluate(&query, &wallet);
    assert!(found.is_satisfiable());
    let places = |id| {
        found
            .matches(id)
            .iter()
            .map(|found| found.candidate)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (places("vaccination"), places("recovery"), places("card")),
        (vec![2], vec![0], vec![])
    );
    let options: Vec<_> = found
        .sets()
        .into_iter()
        .map(|set| (set.required, set.options))
        .collect();
    assert_eq!(options, [(true, vec![0, 1]), (false, vec![])]);
    let disclosed = found.disclosed("vaccination", found.matches("vaccination")[0]);
    assert_eq!(disclosed[0].steps(), [Step::Key("disease")]);
    assert_eq!(disclosed[1].steps(), [Step::Key("dose"), Step::Key("date")]);
    assert_eq!(disclosed.len(), 2);
    assert_eq!(ClaimPath::from(&disclosed[1]), ClaimPath::of(["dose", "date"]));

    let first = found.first_answer().unwrap();
    assert_eq!(first[0].id, "vaccination");
    found.check(&first).unwrap();
    let recovered = Chosen {
        id: "recovery",
        candidates: vec![0],
    };
    found.check(std::slice::from_ref(&recovered)).unwrap();
    let wrong = Chosen {
        id: "vaccination",
        candidates: vec![1],
    };
    assert_eq!(
        found.check(&[wrong]),
        Err(AnswerError::Mismatch {
            id: "vaccination".into(),
            place: 0,
            reason: Mismatch::Claims
        })
    );
    assert_eq!(found.check(&[]), Err(AnswerError::RequiredSet(0)));

    let shown = json!({"disease": "840539006", "dose": {"date": "2026-01-02"}});
    check_response(&query, &[("vaccination", &[held(&[VACCINATION], &shown)])]).unwrap();
    let less = json!({"disease": "840539006", "dose": {}});
    assert_eq!(
        check_response(&query, &[("vaccination", &[held(&[VACCINATION], &less)])]),
        Err(AnswerError::Mismatch {
            id: "vaccination".into(),
            place: 0,
            reason: Mismatch::Claims
        })
    );
}
