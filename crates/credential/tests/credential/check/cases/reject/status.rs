//! Status lists.

use super::*;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let with_index = |setup: &mut Setup, index| {
        let mut statement = statement(lab);
        statement.status.as_mut().unwrap().index = index;
        shown(setup, &simple(&statement, lab))
    };
    add("revoked", "Revoked by its issuer.", &[Revoked], &|setup| {
        with_index(setup, REVOKED)
    });
    add("suspended", "Suspended by its issuer.", &[Suspended], &|setup| {
        with_index(setup, SUSPENDED)
    });
    add(
        "revoked-in-old-list",
        "Revoked is for good: an old list says it as well.",
        &[Revoked],
        &|setup| {
            setup.status = vec![(
                token_list_of(&DEPLOYMENT, now().plus(-9 * 86_400), None, None),
                now().plus(-60),
            )];
            with_index(setup, REVOKED)
        },
    );
    add(
        "revoked-by-bitstring",
        "Revoked, as the bitstring list says.",
        &[Revoked],
        &|setup| {
            let purpose = vidimus_credential::status::bitstring::Purpose::Revocation;
            setup.status = vec![(crate::check::world::bitstring_list(purpose), now().plus(-60))];
            with_index(setup, REVOKED)
        },
    );
    add(
        "status-index-outside",
        "An index that the list does not have.",
        &[StatusInvalid],
        &|setup| with_index(setup, 1 << 40),
    );
    let list_case = |setup: &mut Setup, list: List| {
        setup.status = vec![(list, now().plus(-60))];
        with_index(setup, REVOKED)
    };
    add(
        "status-list-of-another-root",
        "A list under a root that nobody trusts here would revive what was revoked.",
        &[StatusInvalid],
        &|setup| list_case(setup, token_list_of(&OTHER, now().plus(-600), None, None)),
    );
    add(
        "status-list-by-document-signer",
        "A laboratory signs a status list: its certificate is not for that.",
        &[StatusInvalid],
        &|setup| {
            let (key, certificate) = &lab.keys[1];
            list_case(
                setup,
                token_list_with(
                    key,
                    std::slice::from_ref(certificate),
                    TOKEN_LIST,
                    now().plus(-600),
                    None,
                    None,
                ),
            )
        },
    );
    add(
        "status-list-without-chain",
        "A status list without its signer's certificate.",
        &[StatusInvalid],
        &|setup| {
            list_case(
                setup,
                token_list_with(&DEPLOYMENT.lists, &[], TOKEN_LIST, now().plus(-600), None, None),
            )
        },
    );
    add(
        "status-list-of-another-url",
        "A good list, but another one than the certificate names.",
        &[StatusInvalid],
        &|setup| {
            let x5c = [DEPLOYMENT.lists_certificate.clone()];
            let other = "https://health.example/status/token/2";
            list_case(
                setup,
                token_list_with(&DEPLOYMENT.lists, &x5c, other, now().plus(-600), None, None),
            )
        },
    );
    add(
        "status-list-from-the-future",
        "A list of tomorrow.",
        &[StatusInvalid],
        &|setup| list_case(setup, token_list_of(&DEPLOYMENT, now().plus(86_400), None, None)),
    );
    add(
        "status-list-altered",
        "One character of the list's signature changed.",
        &[StatusInvalid],
        &|setup| {
            let mut list = token_list_of(&DEPLOYMENT, now().plus(-600), None, None);
            let place = list.token.len() - 10;
            let swap = if &list.token[place..=place] == "A" { "B" } else { "A" };
            list.token.replace_range(place..=place, swap);
            list_case(setup, list)
        },
    );
    add("status-list-cut", "Half a list.", &[StatusInvalid], &|setup| {
        let mut list = token_list_of(&DEPLOYMENT, now().plus(-600), None, None);
        list.token.truncate(list.token.len() / 2);
        list_case(setup, list)
    });
}
