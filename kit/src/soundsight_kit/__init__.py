"""What every Soundsight service shares: start-up, health, errors, logs, metrics, TLS, artifacts."""
