"""Markets built and checked: commands, report and page."""
