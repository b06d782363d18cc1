#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vidimus_fuzz::credential::type_document(data));
