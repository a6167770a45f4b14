"""Reports fit for a journal: tables, figures, sentences, HTML and Word documents, manifest, verification."""
