"""Every table of plan.toml, one file each; reading, cross-references and lints."""
