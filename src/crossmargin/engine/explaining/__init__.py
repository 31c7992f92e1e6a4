"""Why a requirement is what it is, and what changes it."""
