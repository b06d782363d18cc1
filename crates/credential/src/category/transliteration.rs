//! Names as in a machine-readable zone: `A`–`Z` and `<` (ICAO Doc 9303, part 3, section 6).
//!
//! Latin letters follow table A and Cyrillic ones table B, each with the value that holds where the language is not known. Doc 9303 gives no
//! table for Greek; Greek passports follow ELOT 743, and so does this. For other scripts the issuer gives what the document's own zone says.

/// The most characters a name may have (EU DCC 1.3).
pub const MAX: usize = 80;

/// A name that has no transliteration here. Never repeats the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransliterationError {
    /// A character of a script without a table, or one that no name has.
    #[error(
        "character {0} is of a script that is not transliterated here; give the name as in the document's machine-readable zone"
    )]
    Script(usize),
    /// Nothing is left.
    #[error("nothing is left of the name; give it as in the document's machine-readable zone")]
    Empty,
    /// More than [`MAX`] characters.
    #[error("the name is longer than 80 characters; give it as in the document's machine-readable zone")]
    TooLong,
}

/// Whether `text` has the form of a name in a machine-readable zone.
pub fn is_standardised(text: &str) -> bool {
    (1..=MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'<')
        && text.bytes().any(|b| b != b'<')
}

/// Transliterates a name. Spaces and hyphens become `<`; apostrophes and full stops go.
pub fn transliterate(name: &str) -> Result<String, TransliterationError> {
    let letters: Vec<char> = compose(name);
    let mut out = String::with_capacity(name.len() + 8);
    let mut i = 0;
    while let Some(&letter) = letters.get(i) {
        if let Some((text, used)) = greek(&letters, i) {
            out.push_str(text);
            i += used;
            continue;
        }
        match letter {
            'A'..='Z' => out.push(letter),
            'a'..='z' => out.push(letter.to_ascii_uppercase()),
            ' ' | '\u{a0}' | '-' | '\u{2010}' | '\u{2011}' | ',' | '<' => {
                if !out.is_empty() && !out.ends_with('<') {
                    out.push('<');
                }
            }
            '\'' | '\u{2018}' | '\u{2019}' | '\u{02bc}' | '\u{02b9}' | '`' | '´' | '.' | '·' => {}
            _ => {
                let known = latin(letter).or_else(|| cyrillic(letter));
                out.push_str(known.ok_or(TransliterationError::Script(i + 1))?);
            }
        }
        i += 1;
    }
    let out = out.trim_end_matches('<');
    match out.len() {
        0 => Err(TransliterationError::Empty),
        1..=MAX => Ok(out.to_owned()),
        _ => Err(TransliterationError::TooLong),
    }
}

/// Characters with their combining marks put back on, as far as a mark changes the result: `u` with U+0308 is `ü`, and so `UE`.
fn compose(name: &str) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(name.len());
    for c in name.chars() {
        let mark = ('\u{300}'..='\u{36f}').contains(&c);
        match (out.last().copied(), c) {
            (Some(base), '\u{308}') if matches!(base, 'a' | 'o' | 'u' | 'A' | 'O' | 'U') => {
                let whole = match base.to_ascii_lowercase() {
                    'a' => 'ä',
                    'o' => 'ö',
                    _ => 'ü',
                };
                out.pop();
                out.push(whole);
            }
            (Some('ι' | 'Ι'), '\u{308}') => *out.last_mut().expect("just seen") = 'ϊ',
            (Some('υ' | 'Υ'), '\u{308}') => *out.last_mut().expect("just seen") = 'ϋ',
            (Some('a' | 'A'), '\u{30a}') => *out.last_mut().expect("just seen") = 'å',
            (Some(_), _) if mark => {}
            _ => out.push(c),
        }
    }
    out
}

/// Table A, and the Latin letters outside it that are one of `A`–`Z` with marks.
fn latin(letter: char) -> Option<&'static str> {
    const MANY: [(&str, &str); 9] = [
        ("ÄäÆæǢǣǼǽ", "AE"),
        ("ÅåǺǻ", "AA"),
        ("ÖöØøŒœǾǿ", "OE"),
        ("Üü", "UE"),
        ("Þþ", "TH"),
        ("ẞß", "SS"),
        ("Ĳĳ", "IJ"),
        ("Ǆǅǆ", "DZ"),
        ("Ǉǈǉ", "LJ"),
    ];
    const ONE: [(&str, &str); 26] = [
        ("ÀàÁáÂâÃãĀāĂăĄąǍǎẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặȀȁȂȃ", "A"),
        ("Ɓɓ", "B"),
        ("ÇçĆćĈĉĊċČč", "C"),
        ("ĎďĐđÐðƉɖƊɗ", "D"),
        ("ÈèÉéÊêËëĒēĔĕĖėĘęĚěẸẹẺẻẼẽẾếỀềỂểỄễỆệȄȅȆȇƏə", "E"),
        ("Ƒƒ", "F"),
        ("ĜĝĞğĠġĢģǤǥǦǧ", "G"),
        ("ĤĥĦħȞȟ", "H"),
        ("ÌìÍíÎîÏïĨĩĪīĬĭĮįİıǏǐỈỉỊịȈȉȊȋ", "I"),
        ("Ĵĵ", "J"),
        ("ĶķĸǨǩƘƙ", "K"),
        ("ĹĺĻļĽľĿŀŁł", "L"),
        ("Ḿḿ", "M"),
        ("ÑñŃńŅņŇňŉŊŋǸǹ", "N"),
        ("ÒòÓóÔôÕõŌōŎŏŐőƠơǑǒǪǫỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợȌȍȎȏ", "O"),
        ("Ṕṕ", "P"),
        ("Ɋɋ", "Q"),
        ("ŔŕŖŗŘřȐȑȒȓ", "R"),
        ("ŚśŜŝŞşŠšȘșṢṣ", "S"),
        ("ŢţŤťŦŧȚțṬṭ", "T"),
        ("ÙùÚúÛûŨũŪūŬŭŮůŰűŲųƯưǓǔỤụỦủỨứỪừỬửỮữỰựȔȕȖȗ", "U"),
        ("Ṽṽ", "V"),
        ("ŴŵẀẁẂẃẄẅ", "W"),
        ("Ẍẍ", "X"),
        ("ÝýŶŷŸÿỲỳỴỵỶỷỸỹȲȳ", "Y"),
        ("ŹźŻżŽžẒẓ", "Z"),
    ];
    MANY.iter()
        .chain(&ONE)
        .find(|(letters, _)| letters.contains(letter))
        .map(|(_, text)| *text)
}

/// Table B.
fn cyrillic(letter: char) -> Option<&'static str> {
    let lower = letter.to_lowercase().next()?;
    Some(match lower {
        'а' => "A",
        'б' => "B",
        'в' => "V",
        'г' | 'ґ' | 'ѓ' => "G",
        'д' | 'ђ' => "D",
        'е' | 'ё' | 'э' => "E",
        'ж' => "ZH",
        'з' => "Z",
        'и' | 'й' | 'і' | 'ї' => "I",
        'к' | 'ќ' => "K",
        'л' => "L",
        'м' => "M",
        'н' => "N",
        'о' => "O",
        'п' => "P",
        'р' => "R",
        'с' => "S",
        'т' => "T",
        'у' | 'ў' => "U",
        'ф' => "F",
        'х' => "KH",
        'ц' => "TS",
        'ч' => "CH",
        'ш' => "SH",
        'щ' => "SHCH",
        'ъ' | 'є' => "IE",
        'ы' => "Y",
        'ь' => "",
        'ю' => "IU",
        'я' => "IA",
        'ј' => "J",
        'љ' => "LJ",
        'њ' => "NJ",
        'ћ' => "C",
        'џ' | 'ѕ' => "DZ",
        'ѫ' => "U",
        'ѳ' => "F",
        'ѵ' => "Y",
        _ => return None,
    })
}

/// ELOT 743: the letters at `i`, as Latin ones and how many they are.
fn greek(letters: &[char], i: usize) -> Option<(&'static str, usize)> {
    let at = |i: usize| letters.get(i).and_then(|c| c.to_lowercase().next()).map(bare);
    let vowel = at(i)?;
    let next = at(i + 1);
    let first = i == 0 || !letters[i - 1].is_alphabetic();
    // Doubled sounds before vowels and voiced consonants, hard before the rest and at the end.
    let voiced = |c: Option<char>| c.is_some_and(|c| "αεηιουωβγδζλμνρϊϋ".contains(c));
    let pair = match (vowel, next) {
        ('α', Some('υ')) => Some(if voiced(at(i + 2)) { "AV" } else { "AF" }),
        ('ε', Some('υ')) => Some(if voiced(at(i + 2)) { "EV" } else { "EF" }),
        ('η', Some('υ')) => Some(if voiced(at(i + 2)) { "IV" } else { "IF" }),
        ('ο', Some('υ')) => Some("OU"),
        ('γ', Some('γ')) => Some("NG"),
        ('γ', Some('ξ')) => Some("NX"),
        ('γ', Some('χ')) => Some("NCH"),
        ('μ', Some('π')) if first => Some("B"),
        _ => None,
    };
    // An accent on the first vowel of a pair (άυ) parts it.
    let parted = letters[i].to_lowercase().next().is_some_and(|c| "άέήό".contains(c)) && next == Some('υ');
    if let (Some(pair), false) = (pair, parted) {
        return Some((pair, 2));
    }
    let single = match vowel {
        'α' => "A",
        'β' => "V",
        'γ' => "G",
        'δ' => "D",
        'ε' => "E",
        'ζ' => "Z",
        'η' | 'ι' | 'ϊ' => "I",
        'θ' => "TH",
        'κ' => "K",
        'λ' => "L",
        'μ' => "M",
        'ν' => "N",
        'ξ' => "X",
        'ο' | 'ω' => "O",
        'π' => "P",
        'ρ' => "R",
        'σ' | 'ς' => "S",
        'τ' => "T",
        'υ' | 'ϋ' => "Y",
        'φ' => "F",
        'χ' => "CH",
        'ψ' => "PS",
        _ => return None,
    };
    Some((single, 1))
}

/// A Greek vowel without its accent; diaeresis stays, because it parts pairs.
fn bare(c: char) -> char {
    match c {
        'ά' | 'ὰ' | 'ᾶ' => 'α',
        'έ' | 'ὲ' => 'ε',
        'ή' | 'ὴ' | 'ῆ' => 'η',
        'ί' | 'ὶ' | 'ῖ' => 'ι',
        'ό' | 'ὸ' => 'ο',
        'ύ' | 'ὺ' | 'ῦ' => 'υ',
        'ώ' | 'ὼ' | 'ῶ' => 'ω',
        'ΐ' => 'ϊ',
        'ΰ' => 'ϋ',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(name: &str, zone: &str) {
        assert_eq!(transliterate(name).as_deref(), Ok(zone), "{name}");
    }

    #[test]
    fn latin_names_follow_table_a() {
        is("Musterfrau-Gößinger", "MUSTERFRAU<GOESSINGER");
        is("d'Červenková Panklová", "DCERVENKOVA<PANKLOVA");
        is("Jiřina-Maria Alena", "JIRINA<MARIA<ALENA");
        is("D’Arsøns - van Halen", "DARSOENS<VAN<HALEN");
        is("Åsa Þórsdóttir", "AASA<THORSDOTTIR");
        is("Nguyễn Thị Hạnh", "NGUYEN<THI<HANH");
        is("Łukasz Żółć", "LUKASZ<ZOLC");
        is("İpek Ağaoğlu", "IPEK<AGAOGLU");
        is("Jr. Smith,  John", "JR<SMITH<JOHN");
        is("Mu\u{308}ller A\u{30a}se Rene\u{301}", "MUELLER<AASE<RENE");
    }

    #[test]
    fn cyrillic_and_greek_names_follow_their_tables() {
        is("Щербакова Юлия", "SHCHERBAKOVA<IULIIA");
        is("Димитър Христов", "DIMITIER<KHRISTOV");
        is("Њежић", "NJEZHIC");
        is("Παπαδόπουλος", "PAPADOPOULOS");
        is("Ευαγγελία Μπακογιάννη", "EVANGELIA<BAKOGIANNI");
        is("Ευθυμίου", "EFTHYMIOU");
        is("ΧΑΪΔΩ ΤΑΫΓΕΤΟΥ", "CHAIDO<TAYGETOU");
        is("Αυγερινός Λαμπρόπουλος", "AVGERINOS<LAMPROPOULOS");
    }

    #[test]
    fn other_scripts_and_empty_or_endless_names_are_refused() {
        assert_eq!(transliterate("محمد"), Err(TransliterationError::Script(1)));
        assert_eq!(transliterate("Li 李"), Err(TransliterationError::Script(4)));
        assert_eq!(transliterate("Agent 7"), Err(TransliterationError::Script(7)));
        assert_eq!(transliterate("a\u{0}"), Err(TransliterationError::Script(2)));
        assert_eq!(transliterate("- ' ."), Err(TransliterationError::Empty));
        assert_eq!(transliterate(""), Err(TransliterationError::Empty));
        assert_eq!(transliterate(&"ß".repeat(41)), Err(TransliterationError::TooLong));
    }
}
