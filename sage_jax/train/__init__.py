"""Training: pure jitted steps, and the loop that owns time and files."""
