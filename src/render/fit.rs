//! Cutting text to a provider's limits.
