use vidimus_core::Entropy;

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that random bytes come from")]
    fn fill(&mut self, into: &mut [u8]) {
        if getrandom::fill(into).is_err() {
            // No key, salt or nonce made from here on could be trusted, and a panic might be caught.
            std::process::abort();
        }
    }
}

/// [`Entropy`] as the random source that the `rand_core` of `hpke` asks for.
pub(crate) struct Rng<'a>(pub(crate) &'a mut dyn Entropy);

impl hpke::rand_core::TryRng for Rng<'_> {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(into);
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for Rng<'_> {}
