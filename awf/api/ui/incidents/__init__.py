"""The pages about incidents: the list, one incident, and the small charts of its evidence."""
