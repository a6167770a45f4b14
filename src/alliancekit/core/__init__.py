"""What every layer shares: errors, column glossary, seeds, provenance, progress, executors."""
