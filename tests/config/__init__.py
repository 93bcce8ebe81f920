"""The wiring: embedded servers, launcher, environment, health, logging."""
