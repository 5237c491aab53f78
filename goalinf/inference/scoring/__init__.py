"""Log-likelihoods of units of the data by draw of a fit: by option of a mixture, and over effects of the unit."""
