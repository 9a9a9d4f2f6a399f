"""A believable workload to watch: three workflows, their agents, their traffic and what can go wrong."""
