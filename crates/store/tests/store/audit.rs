//! The audit log: one chain whatever writes at once, and every change shows.

use crate::setting::*;
use vidimus_core::Digest;
use vidimus_store::{Error, audit};

fn event(n: u64) -> audit::Event {
    audit::Event {
        time: NOW.plus(-(n as i64)),
        actor: None,
        operation: "certificate.issue".into(),
        object: n.to_be_bytes().to_vec(),
        details: Digest([n as u8; 32]),
    }
}

async fn verify(setting: &Setting) -> audit::Verdict {
    setting.store.read(audit::verify).await.unwrap()
}

on_both! {
    async fn sixty_four_writers_write_one_chain(setting: Setting) {
        let stores = [setting.store.clone(), setting.again().await];
        let writers: Vec<_> = (0..64_u64)
            .map(|writer| {
                let store = stores[(writer % 2) as usize].clone();
                tokio::spawn(async move {
                    for n in 0..10 {
                        let kept = n % 5 != 4;
                        let written = store
                            .write(move |tx| {
                                audit::append(tx, &event(writer * 10 + n))?;
                                if kept { Ok(()) } else { Err(Error::Scope) }
                            })
                            .await;
                        assert_eq!(written.is_ok(), kept, "{written:?}");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let audit::Verdict::Whole(head) = verify(&setting).await else { panic!("forked, or with gaps") };
        assert_eq!(head.sequence, 64 * 8, "what was rolled back left no gap");
        let of_one = setting.store.read(|tx| audit::of_object(tx, &7_u64.to_be_bytes())).await.unwrap();
        assert_eq!(of_one.len(), 1);
    }

    async fn every_change_shows(setting: Setting) {
        assert!(matches!(verify(&setting).await, audit::Verdict::Whole(head) if head.sequence == 0));
        let laboratory = setting.laboratory;
        for n in 0..1200_u64 {
            let event = audit::Event { actor: (n % 2 == 0).then_some(laboratory), ..event(n) };
            setting.store.write(move |tx| audit::append(tx, &event)).await.unwrap();
        }
        let whole = verify(&setting).await;
        assert!(matches!(whole, audit::Verdict::Whole(head) if head.sequence == 1200), "more than a page");
        let broken = |sequence| audit::Verdict::Broken { sequence };
        for (change, back, at) in [
            ("UPDATE audit_entries SET time = time + 1 WHERE sequence = 1100", "UPDATE audit_entries SET time = time - 1 WHERE sequence = 1100", 1100),
            ("UPDATE audit_entries SET operation = 'x' WHERE sequence = 2", "UPDATE audit_entries SET operation = 'certificate.issue' WHERE sequence = 2", 2),
            ("UPDATE audit_entries SET actor = details WHERE sequence = 2", "UPDATE audit_entries SET actor = NULL WHERE sequence = 2", 2),
            ("UPDATE audit_entries SET actor = (SELECT id FROM participants) WHERE sequence = 2", "UPDATE audit_entries SET actor = NULL WHERE sequence = 2", 2),
            ("UPDATE audit_head SET sequence = 1199", "UPDATE audit_head SET sequence = 1200", 1201),
            ("UPDATE audit_head SET hash = (SELECT previous FROM audit_entries WHERE sequence = 1200)", "UPDATE audit_head SET hash = (SELECT hash FROM audit_entries WHERE sequence = 1200)", 1201),
            ("UPDATE audit_entries SET sequence = 5000 WHERE sequence = 600", "UPDATE audit_entries SET sequence = 600 WHERE sequence = 5000", 600),
        ] {
            // The laboratory wrote entry 1, the system entry 2.
            setting.do_it(change).await.unwrap();
            assert_eq!(verify(&setting).await, broken(at), "{change}");
            setting.do_it(back).await.unwrap();
            assert_eq!(verify(&setting).await, whole, "{back}");
        }
        setting.do_it("UPDATE audit_entries SET object = details, details = details WHERE sequence = 700").await.unwrap();
        assert_eq!(verify(&setting).await, broken(700));
        setting.do_it("DELETE FROM audit_entries WHERE sequence >= 700").await.unwrap();
        assert_eq!(verify(&setting).await, broken(700), "the end was cut off");
    }
}
