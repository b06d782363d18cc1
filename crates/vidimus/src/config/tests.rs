use super::{keys::KEYS, *};

const LEAST: &str = "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n";

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(text, Path::new("vidimus.toml"), Path::new("/srv/vidimus"), environment)
}

fn refusal(text: &str) -> String {
    parse(text, &[]).expect_err("must be refused").to_string()
}

#[test]
fn the_least_file_has_safe_defaults() {
    let config = parse(LEAST, &[]).unwrap();
    assert_eq!(config.database_file(), Some(Path::new("/srv/vidimus/data/vidimus.db")));
    assert!(config.server.listen.ip().is_loopback());
    assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:8654");
    assert_eq!(config.ledger.chain_id, 0x56_494d);
    assert!(!config.server.metrics_public);
}

#[test]
fn every_sample_parses_and_the_full_one_names_every_key() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config");
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            Config::load(&path, []).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            count += 1;
        }
    }
    assert!(count >= 3, "{count} samples");
    let full = std::fs::read_to_string(directory.join("every-key.toml")).unwrap();
    for (key, _) in KEYS {
        let leaf = key.rsplit('.').next().unwrap();
        let named = full
            .lines()
            .any(|l| l.trim_start_matches("# ").split(" = ").next() == Some(leaf));
        assert!(named, "docs/config/every-key.toml does not show {key}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_name_with_the_nearest_known_one() {
    let text = refusal(&format!("{LEAST}[server]\npublic_ulr = \"https://a.example\"\n"));
    assert!(
        text.contains("`server.public_ulr`") && text.contains("`server.public_url`"),
        "{text}"
    );
    let text = refusal(&format!("{LEAST}listen = \"127.0.0.1:1\"\n"));
    assert!(text.contains("`server.listen`"), "{text}");
    let text = refusal(&format!("{LEAST}[sevrer]\nlisten = \"127.0.0.1:1\"\n"));
    assert!(text.contains("`sevrer`"), "{text}");
    let error = parse(LEAST, &[("VIDIMUS_SERVER_LISTENS", "127.0.0.1:1")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("`VIDIMUS_SERVER_LISTEN`"), "{error}");
    let error = parse(LEAST, &[("VIDIMUS_DATADIR", "x")]).unwrap_err().to_string();
    assert!(error.contains("`VIDIMUS_DATA_DIR`"), "{error}");
    assert!(parse(LEAST, &[("VIDIMUS_WALLET", "w"), ("VIDIMUS_URL", "u")]).is_ok());
}

#[test]
fn variables_lie_over_the_file() {
    let config = parse(
        &format!("{LEAST}[server]\nlisten = \"127.0.0.1:1\"\n"),
        &[
            ("VIDIMUS_SERVER_LISTEN", "[::1]:9"),
            ("VIDIMUS_SERVER_TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2"),
            ("VIDIMUS_SERVER_LIMITS_CONCURRENCY", "7"),
            ("VIDIMUS_DATABASE_URL", "postgresql://u:geheim@h/d"),
            ("VIDIMUS_API_KEY", "not configuration"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "[::1]:9");
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.server.limits.concurrency, 7);
    assert!(matches!(config.database, Database::Postgres(_)));
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn outside_loopback_a_public_https_url_is_needed() {
    let text = refusal(&format!("{LEAST}[server]\nlisten = \"0.0.0.0:443\"\n"));
    assert!(text.contains("server.public_url") && text.contains("https"), "{text}");
    for url in [
        "http://vidimus.example",
        "https://a.example/path",
        "vidimus.example",
        "https://u:p@a.example",
        "ftp://x",
    ] {
        let text = refusal(&format!(
            "{LEAST}[server]\nlisten = \"0.0.0.0:443\"\npublic_url = \"{url}\"\n"
        ));
        assert!(text.contains("server.public_url"), "{url}: {text}");
    }
    let good = format!("{LEAST}[server]\nlisten = \"0.0.0.0:443\"\npublic_url = \"https://Vidimus.example/\"\n");
    assert_eq!(
        parse(&good, &[]).unwrap().server.public_url.as_str(),
        "https://vidimus.example"
    );
}

#[test]
fn the_root_key_never_lies_in_the_data() {
    for key in ["data/root.key", "./data/keys/../root.key", "other/../data/x"] {
        let text = refusal(&format!("data_dir = \"data\"\nroot_key = \"{key}\"\n"));
        assert!(text.contains("inside data_dir"), "{key}: {text}");
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("data")).unwrap();
    std::os::unix::fs::symlink(directory.path().join("data"), directory.path().join("keys")).unwrap();
    let error = Config::parse(LEAST, Path::new("f"), directory.path(), [])
        .unwrap_err()
        .to_string();
    assert!(error.contains("inside data_dir"), "{error}");
}

#[test]
fn wrong_values_are_named_by_key_and_secrets_are_not_repeated() {
    for (text, key) in [
        ("[server]\nlisten = 8080\n", "server"),
        ("[server.limits]\nconcurrency = 0\n", "server.limits.concurrency"),
        ("[ledger]\nmode = \"paper\"\n", "ledger.mode"),
        ("[ledger]\nmode = \"network\"\n", "ledger.rpc_url"),
        ("[database]\nurl = \"mysql://geheim\"\n", "database.url"),
        ("[database]\nurl = \"postgresql://geheim\"\npath = \"x\"\n", "database"),
        (
            "[status]\nttl_seconds = 10\nvalid_seconds = 5\n",
            "status.valid_seconds",
        ),
        ("[log]\nformat = \"xml\"\n", "log"),
    ] {
        let refusal = refusal(&format!("{LEAST}{text}"));
        assert!(
            refusal.contains(key) && !refusal.contains("geheim"),
            "{text}: {refusal}"
        );
    }
    let refusal = refusal("data_dir = \"postgresql://geheim\nx");
    assert!(refusal.contains("line 2") && !refusal.contains("geheim"), "{refusal}");
}

#[test]
fn mail_and_what_lies_outside_are_checked() {
    let config = parse(LEAST, &[]).unwrap();
    assert!(config.mail.is_none() && !config.outside.loopback && config.outside.networks.is_empty());
    assert!(config.outside.push_hosts.len() >= 4);
    let mail =
        |more: &str| format!("{LEAST}[mail]\nhost = \"mail.example\"\nfrom = \"Lab <codes@lab.example>\"\n{more}");
    let usual = parse(&mail(""), &[]).unwrap().mail.unwrap();
    assert_eq!((usual.port, usual.tls), (587, MailTls::Starttls));
    let password = [("VIDIMUS_MAIL_USER", "codes"), ("VIDIMUS_MAIL_PASSWORD", "geheim")];
    let config = parse(&mail("tls = \"implicit\"\n"), &password).unwrap();
    assert_eq!(config.mail.as_ref().unwrap().port, 465);
    assert!(!format!("{config:?}").contains("geheim"));
    for (text, key) in [
        ("[mail]\n", "mail.host"),
        ("[mail]\nhost = \"mail.example\"\n", "mail.from"),
        ("[mail]\nhost = \"mail.example\"\nfrom = \"nobody\"\n", "mail.from"),
        ("[outside]\nnetworks = [\"10.0.0.1/8\"]\n", "outside.networks"),
        ("[outside]\nnetworks = [\"lab.example\"]\n", "outside.networks"),
        (
            "[outside]\npush_hosts = [\"https://push.example\"]\n",
            "outside.push_hosts",
        ),
        ("[outside]\npush_hosts = [\"\"]\n", "outside.push_hosts"),
        ("[outside]\nproxy = \"x\"\n", "outside.proxy"),
        ("[server.limits]\nstreams = 0\n", "server.limits.streams"),
    ] {
        let refusal = refusal(&format!("{LEAST}{text}"));
        assert!(refusal.contains(key), "{text}: {refusal}");
    }
    for (more, key) in [
        ("tls = \"none\"\n", "mail.tls"),
        ("tls = \"ssl\"\n", "mail"),
        ("user = \"codes\"\n", "mail.password"),
        ("password = \"geheim\"\n", "mail.user"),
    ] {
        let refusal = refusal(&mail(more));
        assert!(
            refusal.contains(key) && !refusal.contains("geheim"),
            "{more}: {refusal}"
        );
    }
}

#[test]
fn what_is_for_a_network_is_refused_elsewhere_and_checked_there() {
    let network =
        |more: &str| format!("{LEAST}[ledger]\nmode = \"network\"\nrpc_url = \"http://127.0.0.1:8545\"\n{more}");
    let usual = parse(&network(""), &[]).unwrap().ledger.network;
    assert_eq!(usual, NetworkRules::default());
    let more = "max_fee_per_gas = 3_000_000_000\npriority_fee_per_gas = 0\nreplace_after_seconds = 30\n\
                empty_blocks = false\nverify_blocks = false\n";
    let set = NetworkRules {
        max_fee_per_gas: 3_000_000_000,
        priority_fee_per_gas: Some(0),
        replace_after_seconds: 30,
        empty_blocks: Some(false),
        verify_blocks: false,
    };
    assert_eq!(parse(&network(more), &[]).unwrap().ledger.network, set);
    for line in more.lines() {
        let text = refusal(&format!("{LEAST}[ledger]\n{line}\n"));
        let key = line.split(' ').next().unwrap();
        assert!(
            text.contains(&format!("ledger.{key}")) && text.contains("network"),
            "{text}"
        );
    }
    let text = refusal(&network("max_fee_per_gas = 5\npriority_fee_per_gas = 6\n"));
    assert!(text.contains("ledger.priority_fee_per_gas"), "{text}");
    let text = refusal(&network("replace_after_seconds = 0\n"));
    assert!(text.contains("ledger.replace_after_seconds"), "{text}");
}

#[test]
fn an_identity_service_is_named_whole() {
    assert!(parse(LEAST, &[]).unwrap().identity.is_none());
    let whole = "[identity]\nname = \"ID\"\nissuer = \"https://id.example\"\nauthorization_endpoint = \"https://id.example/a\"\n\
                 token_endpoint = \"https://id.example/t\"\nclient_id = \"vidimus\"\n";
    let redirects = "[wallets]\nredirects = [\"wallet https://wallet.example/back\"]\n";
    let trusting = format!("{LEAST}{redirects}[trust]\ndirectory = \"trusted\"\n");
    let anywhere = refusal(&format!("{LEAST}[trust]\ndirectory = \"trusted\"\n{whole}"));
    assert!(anywhere.contains("wallets.redirects"), "{anywhere}");
    let secret = [("VIDIMUS_IDENTITY_CLIENT_SECRET", "geheim")];
    let config = parse(&format!("{trusting}{whole}"), &secret).unwrap();
    let identity = config.identity.as_ref().unwrap();
    assert_eq!(identity.client_secret.as_ref().unwrap().expose(), "geheim");
    assert!(!format!("{config:?}").contains("geheim"));
    let without_keys = refusal(&format!("{LEAST}{whole}"));
    assert!(without_keys.contains("trust.directory"), "{without_keys}");
    for (line, other, key) in [
        ("name = \"ID\"\n", "", "identity.name"),
        ("issuer = \"https://id.example\"\n", "", "identity.issuer"),
        ("client_id = \"vidimus\"\n", "", "identity.client_id"),
        (
            "https://id.example/a",
            "http://id.example/a",
            "identity.authorization_endpoint",
        ),
        ("https://id.example/t", "id.example/t", "identity.token_endpoint"),
    ] {
        assert!(whole.contains(line));
        let refusal = refusal(&format!("{trusting}{}", whole.replace(line, other)));
        assert!(refusal.contains(key), "{line}: {refusal}");
    }
}
