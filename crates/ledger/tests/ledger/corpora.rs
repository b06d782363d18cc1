//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#[path = "../../../../fuzz/src/ledger.rs"]
mod fuzz;
#[path = "../../../../fuzz/src/run.rs"]
mod run;

#[test]
fn every_corpus_runs_through_its_target() {
    let runs = run::corpora(fuzz::ENTRIES);
    println!("corpora: {runs} runs through {} parsers", fuzz::ENTRIES.len());
}
