"""The front doors: the command line today; HTTP intake, live updates and pages to come."""
