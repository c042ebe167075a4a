//! Alertmanager's label matchers.
