"""Human votes on clips watched side by side: battles, votes, ratings."""
