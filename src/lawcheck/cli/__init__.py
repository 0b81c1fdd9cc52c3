"""The command line and the pytest plugin: thin faces over the rooms below."""
