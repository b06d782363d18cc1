use serde_json::Value;
use std::{fs, path::PathBuf};
use vidimus_core::encoding::from_hex;

pub fn vectors(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../vectors/crypto")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn bytes(value: &Value) -> Vec<u8> {
    from_hex(text(value)).unwrap()
}
