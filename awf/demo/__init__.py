"""Sample workflows with believable agents, and faults to inject into them."""
