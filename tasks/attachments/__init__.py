"""Attachments: files that come with events are checked, made small, marked and read, and become their context."""
