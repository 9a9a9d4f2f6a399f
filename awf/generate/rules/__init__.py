"""Rule groups, one file each: a module here with a `SPEC` of type RuleGroup becomes a YAML file."""
