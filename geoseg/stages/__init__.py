"""One function a workflow step: it reads, calls the core and writes."""
