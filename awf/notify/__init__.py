"""Channels that reach people; one file each."""
