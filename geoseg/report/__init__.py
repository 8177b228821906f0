"""Results to pages, figures and styles."""
