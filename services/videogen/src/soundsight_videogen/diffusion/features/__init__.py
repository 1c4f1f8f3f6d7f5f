"""Ways to film faster or in less memory. Each shows that it works, or is an error."""
