"""What the command line does, one file per group of verbs; `fabsight.cli` holds their options."""
