//! The contracts, typed: calldata, events, bytecodes.
