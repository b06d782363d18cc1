#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vidimus_fuzz::credential::sd_jwt_text(data));
