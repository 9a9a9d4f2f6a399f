"""Acting within policy: actions, policy, approvals, audit, runner."""
