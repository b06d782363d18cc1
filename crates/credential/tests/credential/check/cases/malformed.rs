//! What does not read: cut, oversized, doubled, nested, encoded wrongly.

mod hcerts;

use super::*;
use vidimus_core::encoding::from_base64url;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, says, reason: Reason, build: &dyn Fn(&mut Setup) -> Input| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, &[reason]));
    };
    jwts(&mut add);
    envelopes(&mut add);
    hcerts::cases(&mut add);
    cases
}

type Add<'a> = &'a mut dyn FnMut(&'static str, &'static str, Reason, &dyn Fn(&mut Setup) -> Input);

fn repeat(head: &str, unit: &str, times: usize, tail: &str) -> Input {
    Input::Repeat {
        head: head.to_owned(),
        unit: unit.to_owned(),
        times,
        tail: tail.to_owned(),
    }
}

fn jwts(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let copy = simple(&statement(lab), lab);
    let part = |n: usize| copy.split('.').nth(n).unwrap().to_owned();
    let signed = |header: &str, payload: &str| -> Input {
        raw_jws(header, payload, |message| {
            lab.account.sign(Algorithm::Es256k, message).unwrap()
        })
        .into()
    };
    let header = String::from_utf8(from_base64url(&part(0)).unwrap()).unwrap();
    let payload = String::from_utf8(from_base64url(&part(1)).unwrap()).unwrap();
    add("empty", "Nothing.", UnsupportedFormat, &|_| "".into());
    add("white-space", "Nothing but white space.", UnsupportedFormat, &|_| {
        " \n\t ".into()
    });
    add("not-text", "Bytes that are not UTF-8.", Malformed, &|_| {
        Input::Base64("//79AIBC".to_owned())
    });
    add("prose", "A sentence.", UnsupportedFormat, &|_| {
        "I am vaccinated, believe me.".into()
    });
    add("oversized", "More than any input may have.", TooLarge, &|_| {
        repeat("eyJ", "A", 300_000, "")
    });
    add(
        "jwt-oversized",
        "A JWT longer than a certificate may be.",
        TooLarge,
        &|_| repeat(&format!("{}.", part(0)), "A", 100_000, &format!(".{}", part(2))),
    );
    add(
        "jwt-two-parts",
        "A JWT without its signature part.",
        UnsupportedFormat,
        &|_| format!("{}.{}", part(0), part(1)).into(),
    );
    add(
        "jwt-four-parts",
        "A JWT with a part too many.",
        UnsupportedFormat,
        &|_| format!("{copy}.AAAA").into(),
    );
    add("jwt-cut", "The first half of a JWT.", UnsupportedFormat, &|_| {
        copy[..copy.len() / 2].into()
    });
    add(
        "jwt-cut-signature",
        "The signature is cut within a character.",
        Malformed,
        &|_| copy[..copy.len() - 1].into(),
    );
    add(
        "jwt-padded",
        "Base64url with padding has a second spelling.",
        Malformed,
        &|_| format!("{copy}==").into(),
    );
    add(
        "jwt-trailing-bits",
        "The last character's unused bits are not zero.",
        Malformed,
        &|_| {
            let mut text = copy.clone();
            let last = text.pop().unwrap();
            let next = char::from(last as u8 + 1);
            text.push(if next.is_ascii_alphanumeric() { next } else { 'b' });
            text.into()
        },
    );
    add("jwt-base64", "The alphabet of plain base64.", Malformed, &|_| {
        format!("{}.{}+/.{}", part(0), part(1), part(2)).into()
    });
    add("jwt-white-space-inside", "A line break inside.", Malformed, &|_| {
        format!("{}.\n{}.{}", part(0), part(1), part(2)).into()
    });
    add("alg-none", "No signature is asked for.", AlgorithmNotAllowed, &|_| {
        let header = header.replace("ES256K", "none");
        format!("{}.{}.", base64url(header.as_bytes()), part(1)).into()
    });
    add(
        "alg-none-case",
        "The same, spelt otherwise.",
        AlgorithmNotAllowed,
        &|_| signed(&header.replace("ES256K", "nOnE"), &payload),
    );
    add(
        "alg-hmac",
        "The public key taken as an HMAC secret.",
        AlgorithmNotAllowed,
        &|_| signed(&header.replace("ES256K", "HS256"), &payload),
    );
    add(
        "alg-rsa",
        "An algorithm that no issuer's key has.",
        AlgorithmNotAllowed,
        &|_| signed(&header.replace("ES256K", "RS256"), &payload),
    );
    add("alg-absent", "No algorithm.", AlgorithmNotAllowed, &|_| {
        signed(r#"{"typ":"JWT"}"#, &payload)
    });
    add(
        "header-crit",
        "An extension that must be understood, and is not.",
        Malformed,
        &|_| signed(&header.replacen('{', r#"{"crit":["exp"],"exp":1,"#, 1), &payload),
    );
    add("header-b64", "A payload that would not be encoded.", Malformed, &|_| {
        signed(&header.replacen('{', r#"{"b64":false,"#, 1), &payload)
    });
    add(
        "header-twice-alg",
        "Two algorithms: each reader would pick its own.",
        Malformed,
        &|_| signed(&header.replacen('{', r#"{"alg":"none","#, 1), &payload),
    );
    add("header-not-an-object", "A header that is a list.", Malformed, &|_| {
        signed("[]", &payload)
    });
    add("header-not-json", "A header that is not JSON.", Malformed, &|_| {
        signed("{alg:ES256K}", &payload)
    });
    add("header-kid-number", "A key id that is a number.", Malformed, &|_| {
        signed(r#"{"alg":"ES256K","typ":"JWT","kid":7}"#, &payload)
    });
    add("payload-not-json", "A payload that is not JSON.", Malformed, &|_| {
        signed(&header, "<vc/>")
    });
    add("payload-cut", "A payload that ends too early.", Malformed, &|_| {
        signed(&header, &payload[..payload.len() - 1])
    });
    add(
        "payload-two-values",
        "Something after the end of the payload.",
        Malformed,
        &|_| signed(&header, &format!("{payload} {payload}")),
    );
    add("payload-twice-iss", "Two issuers.", Malformed, &|_| {
        signed(&header, &payload.replacen('{', r#"{"iss":"did:ethr:0x1","#, 1))
    });
    add("payload-twice-result", "Two results, deep inside.", Malformed, &|_| {
        signed(
            &header,
            &payload.replacen(r#""result":"#, r#""result":"260373001","result":"#, 1),
        )
    });
    add(
        "payload-twice-escaped",
        "Two issuers, one spelt with an escape.",
        Malformed,
        &|_| signed(&header, &payload.replacen('{', r#"{"\u0069ss":"did:ethr:0x1","#, 1)),
    );
    add("payload-deep", "Nested deeper than anything real.", Malformed, &|_| {
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        signed(&header, &payload.replacen('{', &format!(r#"{{"x":{deep},"#), 1))
    });
    add("payload-infinite", "A number beyond all numbers.", Malformed, &|_| {
        signed(&header, &payload.replacen('{', r#"{"x":1e999,"#, 1))
    });
    add(
        "payload-issuers-differ",
        "Outside one issuer, inside another.",
        Malformed,
        &|_| {
            let stranger = LABS.stranger.did();
            signed(&header, &payload.replacen(&lab.did(), &stranger, 1))
        },
    );
    add("payload-without-issuer", "Nobody issued it.", Malformed, &|_| {
        let mut claims: Value = serde_json::from_str(&payload).unwrap();
        claims.as_object_mut().unwrap().remove("iss");
        claims["vc"].as_object_mut().unwrap().remove("issuer");
        signed(&header, &claims.to_string())
    });
    add(
        "payload-status-garbled",
        "A status that is not understood is not an absent one.",
        Malformed,
        &|_| {
            let mut claims: Value = serde_json::from_str(&payload).unwrap();
            claims["status"] = "none".into();
            signed(&header, &claims.to_string())
        },
    );
    add(
        "jwt-of-another-type",
        "A holder card is not a certificate.",
        UnsupportedFormat,
        &|_| TRAVELLER.card().into(),
    );
    add(
        "presentation-of-two",
        "Two certificates in one presentation: each is checked on its own.",
        UnsupportedFormat,
        &|setup| {
            let envelope = setup.anchor(&copy);
            TRAVELLER
                .present_as(&Show::default(), &[envelope.clone(), envelope])
                .into()
        },
    );
    add("presentation-of-none", "An empty presentation.", Malformed, &|_| {
        TRAVELLER.present_as(&Show::default(), &[]).into()
    });
    add(
        "presentation-alg-none",
        "A presentation without a signature.",
        AlgorithmNotAllowed,
        &|setup| {
            let token = shown(setup, &copy);
            let (mut header, payload) = parts(&token);
            header["alg"] = "none".into();
            format!(
                "{}.{}.",
                base64url(header.to_string().as_bytes()),
                base64url(payload.to_string().as_bytes())
            )
            .into()
        },
    );
    add(
        "presentation-of-rubbish",
        "A presentation of something that is no certificate.",
        UnsupportedFormat,
        &|setup| {
            let envelope = Envelope {
                copy: "rubbish".to_owned(),
                ..setup.anchor(&copy)
            };
            TRAVELLER.present(&envelope).into()
        },
    );
    add(
        "presentation-evidence-misfits",
        "More evidence than certificates.",
        Malformed,
        &|setup| {
            let token = shown(setup, &copy);
            resigned(&token, Algorithm::Es256k, &TRAVELLER.account, |_, payload| {
                payload["evidence"].as_array_mut().unwrap().push(Value::Null);
            })
            .into()
        },
    );
}

fn envelopes(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let copy = simple(&statement(lab), lab);
    let text = |setup: &mut Setup| json(&setup.anchor(&copy));
    add("envelope-cut", "Half an envelope.", Malformed, &|setup| {
        let text = text(setup);
        text[..text.len() / 2].into()
    });
    add(
        "envelope-unknown-member",
        "A member that nobody reads.",
        Malformed,
        &|setup| text(setup).replacen('{', r#"{"verdict":"valid","#, 1).into(),
    );
    add(
        "envelope-twice-copy",
        "Two copies: one to show, one to check.",
        Malformed,
        &|setup| {
            text(setup)
                .replacen('{', r#"{"copy":"eyJhbGciOiJub25lIn0..","#, 1)
                .into()
        },
    );
    add(
        "envelope-without-copy",
        "An envelope with nothing in it.",
        Malformed,
        &|_| "{}".into(),
    );
    add("envelope-salt-short", "A salt of 31 bytes.", Malformed, &|setup| {
        let mut value: Value = serde_json::from_str(&text(setup)).unwrap();
        let salt = value["salt"].as_str().unwrap()[2..].to_owned();
        value["salt"] = salt.into();
        value.to_string().into()
    });
    add(
        "envelope-receipt-version",
        "A receipt of a version to come.",
        UnsupportedFormat,
        &|setup| {
            let mut value: Value = serde_json::from_str(&text(setup)).unwrap();
            value["receipt"]["version"] = 2.into();
            value.to_string().into()
        },
    );
    add(
        "envelope-receipt-garbled",
        "A receipt whose proof is a text.",
        Malformed,
        &|setup| {
            let mut value: Value = serde_json::from_str(&text(setup)).unwrap();
            value["receipt"]["proof"] = "trust me".into();
            value.to_string().into()
        },
    );
    add(
        "envelope-index-negative",
        "A place before the first.",
        Malformed,
        &|setup| {
            let mut value: Value = serde_json::from_str(&text(setup)).unwrap();
            value["receipt"]["proof"]["index"] = (-1).into();
            value.to_string().into()
        },
    );
    add("envelope-deep", "Braces without end.", Malformed, &|_| {
        repeat("", r#"{"copy":"#, 20_000, "")
    });
    add(
        "envelope-of-rubbish",
        "An envelope around something that is no certificate.",
        UnsupportedFormat,
        &|_| r#"{"copy":"rubbish"}"#.into(),
    );
}
