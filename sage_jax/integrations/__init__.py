"""SAGE in other people's trainers; each module needs an extra of its own."""
