"""A run: its steps, the loop that owns time and files, who listens, and what guards it."""
